package shards

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// readAhead is how much a Reader reads at a time.
const readAhead = 128 << 10

// Reader reads a shard from its start. Its errors contain the offset; at the
// end of the shard they are io.EOF or io.ErrUnexpectedEOF as for io.ReadFull.
type Reader struct {
	ctx    context.Context
	window *window
	shard  *Shard
	buffer []byte
	rest   []byte // of the buffer
	offset int64  // of rest
}

// Offset returns the position of the next byte.
func (r *Reader) Offset() int64 { return r.offset }

// Size returns the length of the shard.
func (r *Reader) Size() int64 { return r.shard.Size }

// Left returns the number of remaining bytes.
func (r *Reader) Left() int64 { return r.shard.Size - r.offset }

func (r *Reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if len(p) >= readAhead {
			n, err := r.window.readAt(r.ctx, r.shard, p, r.offset)
			r.offset += int64(n)
			return n, r.at(err)
		}
		if r.buffer == nil {
			r.buffer = make([]byte, readAhead)
		}
		n, err := r.window.readAt(r.ctx, r.shard, r.buffer, r.offset)
		if err != nil {
			return 0, r.at(err)
		}
		r.rest = r.buffer[:n]
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	r.offset += int64(n)
	return n, nil
}

func (r *Reader) at(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return fmt.Errorf("at %d: %w", r.offset, err)
}

// ReadByte implements io.ByteReader.
func (r *Reader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r, b[:])
	return b[0], err
}

// Skip skips n bytes, which must exist.
func (r *Reader) Skip(n int64) error {
	if n < 0 || n > r.Left() {
		return r.Truncated(fmt.Sprintf("%d bytes more", n))
	}
	if n <= int64(len(r.rest)) {
		r.rest = r.rest[n:]
	} else {
		r.rest = nil
	}
	r.offset += n
	return nil
}

// Fill reads len(p) bytes. what describes them for errors.
func (r *Reader) Fill(p []byte, what string) error {
	if int64(len(p)) > r.Left() {
		return r.Truncated(what)
	}
	_, err := io.ReadFull(r, p)
	return err
}

// Truncated returns the error of a shard that ends within what.
func (r *Reader) Truncated(what string) error {
	return fmt.Errorf("at %d: truncated: it ends after %d bytes, within %s: %w", r.offset, r.shard.Size, what, io.ErrUnexpectedEOF)
}

// Errorf returns an error about an offset.
func (r *Reader) Errorf(offset int64, format string, args ...any) error {
	return fmt.Errorf("at %d: %w", offset, fmt.Errorf(format, args...))
}
