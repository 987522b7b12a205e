package shards

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// maxPacked bounds what is read at once to be uncompressed.
const maxPacked = 1 << 30

// open opens the image at a place of a shard.
func (s *Source) open(ctx context.Context, shard *Shard, p Place) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !p.Packed {
		if p.Length >= chunkBytes/2 { // long enough for a separate connection
			r, err := s.tree.Open(ctx, shard.Path, p.Offset)
			if err != nil {
				return nil, err
			}
			if err := s.window.ask(ctx, shard); err != nil {
				return nil, errors.Join(err, r.Close())
			}
			return &exactly{r, p.Length}, nil
		}
		return &section{ctx: ctx, window: s.window, shard: shard, offset: p.Offset, left: p.Length}, nil
	}
	unpack := func() ([]byte, error) {
		if p.Length > maxPacked {
			return nil, fmt.Errorf("at %d: a piece of %d bytes exceeds the limit of %d", p.Offset, p.Length, maxPacked)
		}
		stored := make([]byte, p.Length)
		if _, err := io.ReadFull(&section{ctx: ctx, window: s.window, shard: shard, offset: p.Offset, left: p.Length}, stored); err != nil {
			return nil, err
		}
		b, err := s.format.Unpack(stored, p)
		if err != nil {
			return nil, fmt.Errorf("at %d: %w", p.Offset, err)
		}
		return b, nil
	}
	var b []byte
	var err error
	if p.Shared {
		b, err = s.opened.get(ctx, unpackedKey{shard.Path, shard.Identity, p.Offset}, unpack)
	} else {
		b, err = unpack()
	}
	if err != nil {
		return nil, err
	}
	if p.Shared {
		if err := s.window.check(ctx, shard); err != nil {
			return nil, err
		}
	}
	end := int64(len(b))
	if p.Size >= 0 {
		end = p.From + p.Size
	}
	if p.From < 0 || p.From > end || end > int64(len(b)) {
		return nil, fmt.Errorf("at %d: the record is not in the uncompressed data", p.Offset)
	}
	if b, err = s.format.Image(b[p.From:end]); err != nil {
		return nil, fmt.Errorf("at %d: %w", p.Offset, err)
	}
	return &inMemory{ctx, bytes.NewReader(b)}, nil
}

// section reads a part of a shard through the window.
type section struct {
	ctx          context.Context
	window       *window
	shard        *Shard
	offset, left int64
}

func (s *section) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := s.window.readAt(s.ctx, s.shard, p[:min(int64(len(p)), s.left)], s.offset)
	s.offset += int64(n)
	s.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("at %d: %w", s.offset, io.ErrUnexpectedEOF)
	}
	return n, err
}

func (s *section) Close() error { return nil }

// exactly reads a given number of bytes of a file.
type exactly struct {
	io.ReadCloser
	left int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.ReadCloser.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// inMemory reads bytes until the context ends.
type inMemory struct {
	ctx context.Context
	r   *bytes.Reader
}

func (m *inMemory) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	return m.r.Read(p)
}

func (m *inMemory) Close() error { return nil }

// keptUnpacked bounds the uncompressed data kept for later records, in bytes.
const keptUnpacked = 64 << 20

// unpacked caches the uncompressed data of the latest shared places, so that it
// is computed once for all images in one.
type unpacked struct {
	mu   sync.Mutex
	last [4]*unpacking // the latest first
}

type unpackedKey struct {
	path, identity string
	offset         int64
}

type unpacking struct {
	key   unpackedKey
	done  chan struct{}
	bytes []byte
	err   error
}

// get returns the data cached under a key, or produces it, once for all
// concurrent callers. Failures are not cached.
func (u *unpacked) get(ctx context.Context, key unpackedKey, produce func() ([]byte, error)) ([]byte, error) {
	if key.identity == "" {
		return produce()
	}
	u.mu.Lock()
	for _, k := range u.last {
		if k != nil && k.key == key {
			u.mu.Unlock()
			select {
			case <-k.done:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			if k.err != nil {
				return produce() // its producer may have been cancelled
			}
			return k.bytes, nil
		}
	}
	k := &unpacking{key: key, done: make(chan struct{})}
	copy(u.last[1:], u.last[:])
	u.last[0] = k
	u.mu.Unlock()
	k.bytes, k.err = produce()
	u.mu.Lock()
	defer u.mu.Unlock()
	close(k.done)
	u.forget()
	return k.bytes, k.err
}

// forget drops failures, and then the oldest data until the rest is within the
// bound.
func (u *unpacked) forget() {
	kept := 0
	for i, l := range u.last {
		if l == nil {
			continue
		}
		select {
		case <-l.done:
			kept += len(l.bytes)
			if l.err != nil || kept > keptUnpacked {
				u.last[i] = nil
			}
		default: // its producer comes here too
		}
	}
}
