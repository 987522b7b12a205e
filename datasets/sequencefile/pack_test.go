package sequencefile_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"io"
	"testing"

	"tkit/datasets/shards/shardstest"
)

// packing sets how a test writes a SequenceFile.
type packing struct {
	compressed, block, gzip bool
}

const writable = "org.apache.hadoop.io."

var marker = []byte("a sync marker !!")

// pack writes files with Text keys.
func (p packing) pack(t testing.TB, packed []shardstest.File) []byte {
	t.Helper()
	b := []byte("SEQ\x06")
	b = append(b, text(writable+"Text")...)
	b = append(b, text(writable+"BytesWritable")...)
	b = append(b, flag(p.compressed), flag(p.block))
	if p.compressed {
		b = append(b, text(writable+"compress."+map[bool]string{false: "DefaultCodec", true: "GzipCodec"}[p.gzip])...)
	}
	b = binary.BigEndian.AppendUint32(b, 0) // metadata
	b = append(b, marker...)
	if p.block {
		for len(packed) > 0 {
			n := min(2, len(packed))
			b = append(b, p.blockOf(t, packed[:n])...)
			packed = packed[n:]
		}
		return b
	}
	for i, f := range packed {
		if i == 2 {
			b = append(append(b, 0xff, 0xff, 0xff, 0xff), marker...)
		}
		key, value := text(f.Key), bytesWritable(f)
		if p.compressed {
			value = p.squeeze(t, value)
		}
		b = binary.BigEndian.AppendUint32(b, uint32(len(key)+len(value)))
		b = binary.BigEndian.AppendUint32(b, uint32(len(key)))
		b = append(append(b, key...), value...)
	}
	return b
}

func (p packing) blockOf(t testing.TB, packed []shardstest.File) []byte {
	t.Helper()
	var pieces [4][]byte
	for _, f := range packed {
		key, value := text(f.Key), bytesWritable(f)
		pieces[0] = append(pieces[0], vInt(len(key))...)
		pieces[1] = append(pieces[1], key...)
		pieces[2] = append(pieces[2], vInt(len(value))...)
		pieces[3] = append(pieces[3], value...)
	}
	b := append([]byte{0xff, 0xff, 0xff, 0xff}, marker...)
	b = append(b, vInt(len(packed))...)
	for _, piece := range pieces {
		piece = p.squeeze(t, piece)
		b = append(append(b, vInt(len(piece))...), piece...)
	}
	return b
}

func (p packing) squeeze(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	// The zeros of TestDecompressionIsBounded take 8 seconds with the race
	// detector, and 21 at the default level.
	if p.gzip {
		w, err = gzip.NewWriterLevel(&out, gzip.BestSpeed)
	} else {
		w, err = zlib.NewWriterLevel(&out, zlib.BestSpeed)
	}
	must(t, err)
	_, err = w.Write(b)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

func bytesWritable(f shardstest.File) []byte {
	if f.Denied { // a SequenceFile cannot deny a file, but an image of no bytes is invalid
		f.Bytes = nil
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(f.Bytes))), f.Bytes...)
}

func text(s string) []byte { return append(vInt(len(s)), s...) }

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// vInt encodes a non-negative number.
func vInt(n int) []byte {
	if n <= 127 {
		return []byte{byte(n)}
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(n))
	for b[0] == 0 {
		b = b[1:]
	}
	return append([]byte{byte(int8(-112 - len(b)))}, b...)
}
