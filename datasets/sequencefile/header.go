package sequencefile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"tkit/datasets/shards"
)

const syncBytes = 16

// header is the beginning of a file.
type header struct {
	keyClass          string
	compressed, block bool
	codec             codec
	sync              [syncBytes]byte
}

const writable = "org.apache.hadoop.io."

func readHeader(r *shards.Reader) (h header, err error) {
	var magic [4]byte
	if err := r.Fill(magic[:], "the header"); err != nil {
		return h, err
	}
	version := magic[3]
	if string(magic[:3]) != "SEQ" {
		return h, r.Errorf(0, "not a SequenceFile: it begins with %q instead of SEQ", magic[:3])
	}
	if version != 5 && version != 6 {
		return h, r.Errorf(3, "its version is %d, but only versions 5 and 6 are supported; write it again with Hadoop 2 or 3", version)
	}
	if h.keyClass, err = readText(r, "the name of the keys' class"); err != nil {
		return h, err
	}
	valueClass, err := readText(r, "the name of the values' class")
	if err != nil {
		return h, err
	}
	if valueClass != writable+"BytesWritable" {
		return h, r.Errorf(4, "its values are %s: want %sBytesWritable, the encoded images", valueClass, writable)
	}
	switch h.keyClass {
	case writable + "Text", writable + "BytesWritable", writable + "IntWritable", writable + "LongWritable", writable + "NullWritable":
	default:
		return h, r.Errorf(4, "its keys are %s: want Text, BytesWritable, IntWritable, LongWritable or NullWritable of %s*", h.keyClass, writable)
	}
	var flags [2]byte
	if err := r.Fill(flags[:], "the header"); err != nil {
		return h, err
	}
	if flags[0] > 1 || flags[1] > flags[0] {
		return h, r.Errorf(r.Offset()-2, "the header's compression flags are %d and %d: the file is damaged", flags[0], flags[1])
	}
	h.compressed, h.block = flags[0] == 1, flags[1] == 1
	if h.compressed {
		name, err := readText(r, "the codec's name")
		if err != nil {
			return h, err
		}
		if h.codec, err = codecOf(name); err != nil {
			return h, r.Errorf(4, "%w", err)
		}
	}
	if version >= 6 {
		if err := skipMetadata(r); err != nil {
			return h, err
		}
	}
	return h, r.Fill(h.sync[:], "the header's sync marker")
}

func skipMetadata(r *shards.Reader) error {
	begin := r.Offset()
	pairs, err := readInt(r, "the metadata")
	if err != nil {
		return err
	}
	if pairs < 0 || int64(pairs) > r.Left()/2 { // a pair has at least two lengths
		return r.Errorf(begin, "%d pairs of metadata: the file is damaged", pairs)
	}
	for range 2 * pairs {
		if _, err := readText(r, "the metadata"); err != nil {
			return err
		}
	}
	return nil
}

// readText reads a Text: its length as a VInt, and UTF-8.
func readText(r *shards.Reader, what string) (string, error) {
	begin := r.Offset()
	n, err := readVInt(r, what)
	if err != nil {
		return "", err
	}
	if n < 0 || n > maxKey {
		return "", r.Errorf(begin, "%s of %d bytes: the file is damaged", what, n)
	}
	b := make([]byte, n)
	if err := r.Fill(b, what); err != nil {
		return "", err
	}
	return string(b), nil
}

// readVInt reads an integer of variable length as written by WritableUtils.
func readVInt(r *shards.Reader, what string) (int64, error) {
	var b [9]byte
	if err := r.Fill(b[:1], what); err != nil {
		return 0, err
	}
	n := vIntLength(b[0])
	if err := r.Fill(b[1:n], what); err != nil {
		return 0, err
	}
	v, _, err := vInt(b[:n])
	return v, err
}

// vIntLength returns the number of bytes of an integer with this first byte.
func vIntLength(first byte) int {
	switch c := int8(first); {
	case c >= -112:
		return 1
	case c >= -120:
		return int(-111 - c)
	default:
		return int(-119 - int(c))
	}
}

// vInt decodes an integer at the start of b and returns its number of bytes.
func vInt(b []byte) (v int64, n int, err error) {
	if len(b) == 0 || len(b) < vIntLength(b[0]) {
		return 0, 0, errors.New("an integer is cut")
	}
	n = vIntLength(b[0])
	if n == 1 {
		return int64(int8(b[0])), 1, nil
	}
	var u uint64
	for _, c := range b[1:n] {
		u = u<<8 | uint64(c)
	}
	if int8(b[0]) < -120 {
		u = ^u
	}
	return int64(u), n, nil
}

// key returns the name in a serialized key.
func (h header) key(raw []byte) (string, error) {
	wrong := fmt.Errorf("a key of %d bytes is not a valid %s: the file is damaged", len(raw), h.keyClass)
	switch h.keyClass {
	case writable + "Text":
		n, size, err := vInt(raw)
		if err != nil || n != int64(len(raw)-size) {
			return "", wrong
		}
		return string(raw[size:]), nil
	case writable + "BytesWritable":
		if len(raw) < 4 || int64(binary.BigEndian.Uint32(raw)) != int64(len(raw)-4) {
			return "", wrong
		}
		return string(raw[4:]), nil
	case writable + "IntWritable":
		if len(raw) != 4 {
			return "", wrong
		}
		return strconv.FormatInt(int64(int32(binary.BigEndian.Uint32(raw))), 10), nil
	case writable + "LongWritable":
		if len(raw) != 8 {
			return "", wrong
		}
		return strconv.FormatInt(int64(binary.BigEndian.Uint64(raw)), 10), nil
	}
	if len(raw) != 0 {
		return "", wrong
	}
	return "", nil
}
