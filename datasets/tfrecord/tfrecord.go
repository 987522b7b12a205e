// Package tfrecord implements the format of TensorFlow's record files with a
// tf.train.Example in each record, as written by TensorFlow datasets and
// TF-Slim: https://www.tensorflow.org/tutorials/load_data/tfrecord.
//
// A record is its length in 8 bytes, the masked CRC-32C of those, the bytes,
// and their masked CRC-32C. Both checksums are verified whenever a record is
// read.
package tfrecord

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"net/url"
	"regexp"

	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/shards"
)

// Format is the name of this format in URIs.
const Format = "tfrecord"

// Config selects the shards and the features. shards.Labels defines valid
// labels; a negative integer means none.
type Config struct {
	Shards shards.Config
	Image  string // the encoded image; default: image/encoded, else image
	Label  string // default: image/class/text, else image/class/label, label, class
	Group  string // default: none
	Split  string // default: none
}

// New returns the source of the record files in the root of a tree, and closes
// the tree with the source.
func New(tree files.Tree, c Config) *shards.Source {
	options := url.Values{}
	for name, value := range map[string]string{"image": c.Image, "label": c.Label, "group": c.Group, "split": c.Split} {
		if value != "" {
			options.Set(name, value)
		}
	}
	c.Shards.Options = options
	f := &format{images: []string{"image/encoded", "image"}, labels: []string{"image/class/text", "image/class/label", "label", "class"}, config: c}
	if c.Image != "" {
		f.images = []string{c.Image}
	}
	if c.Label != "" {
		f.labels = []string{c.Label}
	}
	return shards.New(tree, f, c.Shards)
}

var named = regexp.MustCompile(`(?i)\.tf_?rec(ords?)?$|\.records?$|\.tf_?rec(ords?)?-\d{5}-of-\d{5}$|-\d{5}-of-\d{5}(\.tf_?rec(ords?)?|\.records?)?$`)

// Named reports whether a file's name is that of a record file.
func Named(name string) bool { return named.MatchString(name) }

type format struct {
	images, labels []string // the first one that a record has is used
	config         Config
}

func (f *format) Name() string           { return Format }
func (f *format) Named(name string) bool { return Named(name) }

// Begins reports whether the first record's length matches its checksum.
func (f *format) Begins(head []byte) bool { return Begins(head) }

// Begins reports whether the first bytes of a file are those of a record file:
// the length of the first record, and its checksum.
func Begins(head []byte) bool {
	return len(head) >= headBytes && masked(head[:8]) == binary.LittleEndian.Uint32(head[8:])
}

const (
	headBytes = 12 // length and its checksum
	tailBytes = 4
)

// maxRecord bounds a record in bytes: it is the limit of an image, which is
// most of a record.
const maxRecord = datasets.DefaultMaxBytes + 1<<20

// masked returns the format's CRC-32C, rotated and offset, because checksums of
// data that contains checksums are weak.
func masked(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return c>>15 | c<<17 + 0xa282ead8
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Scan lists the records.
func (f *format) Scan(r *shards.Reader) iter.Seq2[shards.Record, error] {
	return func(yield func(shards.Record, error) bool) {
		var b []byte
		var labels shards.Labels
		for r.Left() > 0 {
			begin := r.Offset()
			var err error
			if b, err = next(r, b); err != nil {
				yield(shards.Record{}, err)
				return
			}
			record, err := f.record(b, &labels)
			if err != nil {
				yield(shards.Record{}, r.Errorf(begin, "%w", err))
				return
			}
			record.Place.Offset, record.Place.Length, record.Place.Packed = begin, int64(headBytes+len(b)+tailBytes), true
			if !yield(record, nil) {
				return
			}
		}
	}
}

// next reads a record into a buffer, and returns the buffer with only the bytes
// of the record.
func next(r *shards.Reader, b []byte) ([]byte, error) {
	begin := r.Offset()
	var head [headBytes]byte
	if err := r.Fill(head[:], "a record's length"); err != nil {
		return b, err
	}
	length := binary.LittleEndian.Uint64(head[:8])
	if masked(head[:8]) != binary.LittleEndian.Uint32(head[8:]) {
		return b, r.Errorf(begin, "the checksum of a record's length is wrong: the file is damaged or not a TFRecord")
	}
	if length > uint64(maxRecord) {
		return b, r.Errorf(begin, "a record of %d bytes: an image has at most %d", length, maxRecord)
	}
	if int64(length)+tailBytes > r.Left() {
		return b, r.Truncated(fmt.Sprintf("the record of %d bytes at %d", length, begin))
	}
	if uint64(cap(b)) < length {
		b = make([]byte, length)
	}
	b = b[:length]
	var tail [tailBytes]byte
	if err := cmp.Or(r.Fill(b, "a record"), r.Fill(tail[:], "a record's checksum")); err != nil {
		return b, err
	}
	if masked(b) != binary.LittleEndian.Uint32(tail[:]) {
		return b, r.Errorf(begin, "the checksum of a record of %d bytes is wrong: the file is damaged", length)
	}
	return b, nil
}

// Unpack verifies a record again, because it is read later than it was listed.
func (f *format) Unpack(stored []byte, _ shards.Place) ([]byte, error) {
	if len(stored) < headBytes+tailBytes {
		return nil, io.ErrUnexpectedEOF
	}
	b := stored[headBytes : len(stored)-tailBytes]
	if binary.LittleEndian.Uint64(stored) != uint64(len(b)) || masked(stored[:8]) != binary.LittleEndian.Uint32(stored[8:]) ||
		masked(b) != binary.LittleEndian.Uint32(stored[len(stored)-tailBytes:]) {
		return nil, errors.New("the checksum of the record is wrong: the file is damaged or was modified")
	}
	return b, nil
}

// Image returns the data extracted from the tf.train.Example.
func (f *format) Image(record []byte) ([]byte, error) { return record, nil }
