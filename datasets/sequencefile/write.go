package sequencefile

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Entry is a file to be written: its path, whose first folder is its label, and
// its bytes.
type Entry struct {
	Key   string
	Bytes []byte
}

// writeMarker separates groups of records: a reader that loses its position
// looks for it.
const writeMarker = "tkit.sequencefil"

// perMarker is the number of records between two markers.
const perMarker = 16

// Write writes a SequenceFile of Text and BytesWritable, uncompressed because
// images are compressed already. It may be called once for a file.
func Write(w io.Writer, entries []Entry) error {
	const class = "org.apache.hadoop.io."
	b := []byte("SEQ\x06")
	for _, name := range []string{class + "Text", class + "BytesWritable"} {
		b = appendText(b, name)
	}
	b = append(b, 0, 0)                     // neither records nor blocks are compressed
	b = binary.BigEndian.AppendUint32(b, 0) // no metadata
	b = append(b, writeMarker...)
	if _, err := w.Write(b); err != nil {
		return err
	}
	for i, e := range entries {
		if len(e.Bytes) > 1<<30 {
			return fmt.Errorf("%s: %d bytes exceed the limit of a SequenceFile", e.Key, len(e.Bytes))
		}
		b = b[:0]
		if i%perMarker == perMarker-1 {
			b = append(append(b, 0xff, 0xff, 0xff, 0xff), writeMarker...)
		}
		key := appendText(nil, e.Key)
		b = binary.BigEndian.AppendUint32(b, uint32(len(key)+4+len(e.Bytes)))
		b = binary.BigEndian.AppendUint32(b, uint32(len(key)))
		b = append(b, key...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(e.Bytes)))
		if _, err := w.Write(append(b, e.Bytes...)); err != nil {
			return err
		}
	}
	return nil
}

// appendText encodes a Text: its length as Hadoop's variable integer, and the
// bytes.
func appendText(b []byte, s string) []byte {
	n := len(s)
	if n <= 127 {
		return append(append(b, byte(n)), s...)
	}
	size := 1
	for rest := n >> 8; rest > 0; rest >>= 8 {
		size++
	}
	b = append(b, byte(-112-size))
	for i := size - 1; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	return append(b, s...)
}
