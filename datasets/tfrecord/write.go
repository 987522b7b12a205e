package tfrecord

import (
	"encoding/binary"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// Image is an image to be written.
type Image struct {
	Encoded []byte
	Label   string // the feature image/class/text
	Name    string // the feature image/filename
}

// Write writes one record with TF-Slim's features for images. It may be called
// repeatedly on the same file.
func Write(w io.Writer, m Image) error {
	var features []byte
	for _, f := range []struct {
		name  string
		value []byte
	}{{"image/class/text", []byte(m.Label)}, {"image/encoded", m.Encoded}, {"image/filename", []byte(m.Name)}} {
		// The messages are those of parseExample, nested.
		feature := field(nil, 1, field(nil, 1, f.value)) // BytesList, Feature
		features = field(features, 1, field(field(nil, 1, []byte(f.name)), 2, feature))
	}
	return frame(w, field(nil, 1, features))
}

func field(to []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), value)
}

// frame writes a record with its length and both checksums.
func frame(w io.Writer, record []byte) error {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, headBytes+len(record)+tailBytes), uint64(len(record)))
	b = binary.LittleEndian.AppendUint32(b, masked(b))
	b = append(b, record...)
	b = binary.LittleEndian.AppendUint32(b, masked(record))
	_, err := w.Write(b)
	return err
}
