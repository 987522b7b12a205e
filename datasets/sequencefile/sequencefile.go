// Package sequencefile implements the format of Hadoop's SequenceFile, version
// 5 or 6, with images as BytesWritable values: uncompressed, or compressed by
// record or by block with DefaultCodec, DeflateCodec or GzipCodec. It follows
// org.apache.hadoop.io.SequenceFile of Hadoop 3.4.
//
// A key is a Text, BytesWritable, IntWritable, LongWritable or NullWritable.
// Config.Label selects the part that is the label. Keys are only names: no file
// is opened by them.
//
// The format has no end marker: a file cut exactly between two records cannot
// be distinguished from a complete one. All other damage is detected by the
// lengths and the sync markers.
package sequencefile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"path"
	"strings"

	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/shards"
)

// Format is the name of this format in URIs.
const Format = "sequencefile"

// Config selects the shards and their labels.
type Config struct {
	Shards shards.Config
	// Label is the part of a key that is the label.
	Label shards.PathLabel
}

// New returns the source of the SequenceFiles in the root of a tree, and closes
// the tree with the source.
func New(tree files.Tree, c Config) (*shards.Source, error) {
	c.Shards.Options = url.Values{}
	switch c.Label {
	case shards.AnyFolder:
	case shards.FirstFolder, shards.Parent, shards.WholePath:
		c.Shards.Options.Set("label", string(c.Label))
	default:
		return nil, fmt.Errorf("the label of a SequenceFile is %q: want %s, %s or %s", c.Label, shards.FirstFolder, shards.Parent, shards.WholePath)
	}
	return shards.New(tree, format{c.Label}, c.Shards), nil
}

// Named reports whether a file's name is that of a SequenceFile: it ends in
// .seq or .sequencefile or is one of MapReduce's.
func Named(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".seq", ".sequencefile":
		return true
	}
	return strings.HasPrefix(name, "part-") && !strings.Contains(name, ".")
}

type format struct{ label shards.PathLabel }

func (format) Name() string            { return Format }
func (format) Named(name string) bool  { return Named(name) }
func (format) Begins(head []byte) bool { return Begins(head) }

// Begins reports whether the first bytes of a file are those of a SequenceFile
// of any version.
func Begins(head []byte) bool { return len(head) > 3 && string(head[:3]) == "SEQ" && head[3] <= 6 }

// Bounds on the allocations that a file can cause, in bytes.
const (
	maxKey    = 1 << 20
	maxRecord = datasets.DefaultMaxBytes + 1<<10
	maxBlock  = 256 << 20
)

// syncEscape replaces a length before a sync marker.
const syncEscape = -1

// Scan lists the records.
func (f format) Scan(r *shards.Reader) iter.Seq2[shards.Record, error] {
	return func(yield func(shards.Record, error) bool) {
		h, err := readHeader(r)
		if err == nil {
			s := scan{reader: r, header: h, format: f, yield: yield}
			if h.block {
				err = s.blocks()
			} else {
				err = s.records()
			}
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(shards.Record{}, err)
		}
	}
}

var errStopped = errors.New("stopped")

// scan is the state of reading a file.
type scan struct {
	reader *shards.Reader
	header header
	format format
	yield  func(shards.Record, error) bool
}

// records parses a file without compression or compressed by record: the
// lengths of the record and of its key, the key, the value.
func (s *scan) records() error {
	r := s.reader
	for r.Left() > 0 {
		begin := r.Offset()
		length, err := readInt(r, "a record's length")
		if err != nil {
			return err
		}
		if length == syncEscape {
			if err := s.sync(); err != nil {
				return err
			}
			continue
		}
		keyLength, err := readInt(r, "a key's length")
		if err != nil {
			return err
		}
		if keyLength < 0 || length < keyLength || int64(length) > maxRecord {
			return r.Errorf(begin, "a record of %d bytes with a key of %d: the file is damaged", length, keyLength)
		}
		if int64(length) > r.Left() {
			return r.Truncated(fmt.Sprintf("the record of %d bytes at %d", length, begin))
		}
		if keyLength > maxKey {
			return r.Errorf(begin, "a key of %d bytes: a name has at most %d", keyLength, maxKey)
		}
		raw := make([]byte, keyLength)
		if err := r.Fill(raw, "a key"); err != nil {
			return err
		}
		key, err := s.header.key(raw)
		if err != nil {
			return r.Errorf(begin, "%w", err)
		}
		place := shards.Place{Offset: r.Offset(), Length: int64(length - keyLength), Packed: true, Size: -1}
		if !s.header.compressed {
			size, err := readInt(r, "a value's length")
			if err != nil {
				return err
			}
			if int64(size) != place.Length-4 {
				return r.Errorf(place.Offset, "a value of %d bytes declares %d: the file is damaged", place.Length-4, size)
			}
			place = shards.Place{Offset: place.Offset + 4, Length: int64(size)}
		}
		if err := r.Skip(place.Offset + place.Length - r.Offset()); err != nil {
			return err
		}
		if err := s.emit(key, place); err != nil {
			return err
		}
	}
	return nil
}

// sync checks a sync marker.
func (s *scan) sync() error {
	begin := s.reader.Offset()
	var b [syncBytes]byte
	if err := s.reader.Fill(b[:], "a sync marker"); err != nil {
		return err
	}
	if b != s.header.sync {
		return s.reader.Errorf(begin, "a sync marker that differs from the header's: the file is damaged")
	}
	return nil
}

func (s *scan) emit(key string, place shards.Place) error {
	r := shards.Record{Member: strings.TrimLeft(key, "/"), Place: place}
	r.Label, r.Note = s.format.label.Of(key)
	if r.Label == "" {
		r.Unlabelled = noFolder
	}
	if !s.yield(r, nil) {
		return errStopped
	}
	return nil
}

const noFolder = "its key has no folder; the option label=key uses the whole key as the label"

// Reading describes how labels are derived.
func (f format) Reading() datasets.Reading {
	labels := map[shards.PathLabel]string{
		shards.AnyFolder: "the folders in the keys", shards.FirstFolder: "the first folders in the keys",
		shards.Parent: "the last folders in the keys", shards.WholePath: "the keys",
	}[f.label]
	return datasets.Reading{Labels: labels, Deeper: "add the option label=parent", Further: "if those are the classes, add the option label=parent"}
}

// readInt reads a Java int.
func readInt(r *shards.Reader, what string) (int32, error) {
	var b [4]byte
	if err := r.Fill(b[:], what); err != nil {
		return 0, err
	}
	return int32(binary.BigEndian.Uint32(b[:])), nil
}
