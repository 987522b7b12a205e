package sequencefile

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"tkit/datasets/shards"
)

// codec is a compression. Zlib and gzip can be told apart by their data, so a
// compressed place needs only its bytes.
type codec struct{ gzip bool }

func codecOf(class string) (codec, error) {
	switch strings.TrimPrefix(class, writable+"compress.") {
	case "DefaultCodec", "DeflateCodec":
		return codec{}, nil
	case "GzipCodec":
		return codec{gzip: true}, nil
	}
	return codec{}, fmt.Errorf("it is compressed with %s: write it with DefaultCodec or GzipCodec, or without compression, which does not reduce images", class)
}

// unpack uncompresses a piece to at most limit bytes. It verifies the checksum
// and that nothing follows.
func (c codec) unpack(stored []byte, limit int64) ([]byte, error) {
	in := bytes.NewReader(stored)
	var r io.ReadCloser
	var err error
	if c.gzip {
		r, err = gzip.NewReader(in)
	} else {
		r, err = zlib.NewReader(in)
	}
	if err != nil {
		return nil, fmt.Errorf("uncompressing %d bytes: %w", len(stored), err)
	}
	var out bytes.Buffer
	if _, err := out.ReadFrom(io.LimitReader(r, limit+1)); err != nil {
		return nil, fmt.Errorf("uncompressing %d bytes: %w", len(stored), err)
	}
	if int64(out.Len()) > limit {
		return nil, fmt.Errorf("uncompressing %d bytes: the result exceeds %d bytes", len(stored), limit)
	}
	if in.Len() > 0 {
		return nil, fmt.Errorf("uncompressing %d bytes: %d bytes follow the end: the file is damaged", len(stored), in.Len())
	}
	return out.Bytes(), nil
}

// Unpack uncompresses a value, or the values of a block.
func (format) Unpack(stored []byte, p shards.Place) ([]byte, error) {
	limit := maxRecord
	if p.Shared {
		limit = maxBlock
	}
	return codec{gzip: bytes.HasPrefix(stored, []byte{0x1f, 0x8b})}.unpack(stored, int64(limit))
}

// Image extracts the bytes of a serialized BytesWritable, which begins with its
// length.
func (format) Image(record []byte) ([]byte, error) {
	if len(record) < 4 || int64(binary.BigEndian.Uint32(record)) != int64(len(record)-4) {
		return nil, fmt.Errorf("a value of %d bytes declares a different length: the file is damaged", len(record))
	}
	return record[4:], nil
}
