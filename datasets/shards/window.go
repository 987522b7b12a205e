package shards

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"tkit/datasets"
	"tkit/datasets/files"
)

const (
	// chunkBytes is how much is read at a time: a few hundred images, so that
	// the cost of a connection is small compared with that of the bytes.
	chunkBytes = 4 << 20
	// chunks is how many are kept. It bounds the memory of a source.
	chunks = 12
)

// window caches the latest chunks read from all shards of a source. Records are
// opened nearly in order, by several workers that are never far apart, so
// nearly every record is in the cache.
//
// A chunk is read whole once the previous chunk is cached or a second record of
// it is requested; before that a record is read alone. So random access does
// not read a chunk for each record.
type window struct {
	tree  files.Tree
	trust time.Duration

	mu     sync.Mutex
	loaded map[chunkKey]*chunk // including those being loaded
	order  *list.List          // of chunks, the most recently used first
	asked  []chunkKey          // a ring of chunks from which records were read alone
	next   int                 // in asked
	spare  [][]byte            // buffers without a chunk
	seen   map[string]seen     // the time of the last check of each shard, by path
}

type chunkKey struct {
	path, identity string
	number         int64
}

// chunk is a part of a shard. Its bytes and error are set when done is closed.
type chunk struct {
	key     chunkKey
	done    chan struct{}
	bytes   []byte
	err     error
	users   int // current readers; only unused chunks are dropped
	element *list.Element
}

type seen struct {
	identity string
	at       time.Time
}

func newWindow(tree files.Tree, trust time.Duration) *window {
	return &window{tree: tree, trust: trust, loaded: make(map[chunkKey]*chunk), order: list.New(),
		asked: make([]chunkKey, chunks), seen: make(map[string]seen)}
}

func (w *window) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.loaded)
	w.order.Init()
	w.spare = nil
}

// readAt reads up to len(p) bytes of a shard, at least one. At the end of the
// shard it returns io.EOF.
func (w *window) readAt(ctx context.Context, s *Shard, p []byte, offset int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if offset >= s.Size {
		return 0, io.EOF
	}
	for {
		c, mine := w.acquire(s, offset/chunkBytes)
		if c == nil {
			return w.readAlone(ctx, s, p, offset)
		}
		if mine {
			w.load(ctx, s, c)
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			w.release(c)
			return 0, ctx.Err()
		}
		n, err := copy(p, c.bytes[min(int64(len(c.bytes)), offset%chunkBytes):]), c.err
		w.release(c)
		switch {
		case err == nil:
			if err := w.check(ctx, s); err != nil {
				return 0, err // io.ReadFull drops an error that comes with enough bytes
			}
			return n, nil
		case mine || ctx.Err() != nil:
			return 0, err
		case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
			// The loader was cancelled, which does not concern this reader.
		default:
			return 0, err
		}
	}
}

// acquire returns a chunk that is cached or being loaded; or one that the
// caller must load and announce, with mine set; or nil if the record should be
// read alone.
func (w *window) acquire(s *Shard, number int64) (c *chunk, mine bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := chunkKey{s.Path, s.Identity, number}
	if c := w.loaded[key]; c != nil {
		c.users++
		w.order.MoveToFront(c.element)
		return c, false
	}
	if s.Identity == "" || !w.worthwhile(key) || !w.makeRoom() {
		return nil, false
	}
	c = &chunk{key: key, done: make(chan struct{}), users: 1}
	c.element = w.order.PushFront(c)
	w.loaded[key] = c
	return c, true
}

// worthwhile reports whether a chunk should be read whole.
func (w *window) worthwhile(key chunkKey) bool {
	before := key
	before.number--
	if key.number == 0 || w.loaded[before] != nil {
		return true
	}
	for _, k := range w.asked {
		if k == key {
			return true
		}
	}
	w.asked[w.next] = key
	w.next = (w.next + 1) % len(w.asked)
	return false
}

// makeRoom drops the least recently used chunk if there are too many. It
// returns false if all are in use.
func (w *window) makeRoom() bool {
	if w.order.Len() < chunks {
		return true
	}
	for e := w.order.Back(); e != nil; e = e.Prev() {
		if c := e.Value.(*chunk); c.users == 0 {
			w.drop(c)
			return true
		}
	}
	return false
}

func (w *window) drop(c *chunk) {
	delete(w.loaded, c.key)
	w.order.Remove(c.element)
	if c.bytes != nil {
		w.spare = append(w.spare, c.bytes[:0])
	}
}

func (w *window) release(c *chunk) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.users--
}

// load reads a chunk, checks that it belongs to the listed shard, and announces
// it. A chunk that could not be read is dropped.
func (w *window) load(ctx context.Context, s *Shard, c *chunk) {
	b := w.buffer(min(chunkBytes, s.Size))
	begin := c.key.number * chunkBytes
	b = b[:min(chunkBytes, s.Size-begin)]
	_, err := w.fetch(ctx, s, b, begin)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		c.bytes = b
	} else {
		c.err = err
		w.spare = append(w.spare, b[:0])
		if w.loaded[c.key] == c {
			w.drop(c)
		}
	}
	close(c.done)
}

// buffer returns a buffer of at least a capacity. Small shards need no buffer of a
// whole chunk.
func (w *window) buffer(capacity int64) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.spare); n > 0 {
		b := w.spare[n-1]
		w.spare = w.spare[:n-1]
		if int64(cap(b)) >= capacity {
			return b
		}
	}
	return make([]byte, 0, capacity)
}

// readAlone reads a part of a shard for one reader.
func (w *window) readAlone(ctx context.Context, s *Shard, p []byte, offset int64) (int, error) {
	return w.fetch(ctx, s, p[:min(int64(len(p)), s.Size-offset)], offset)
}

// fetch fills p from the store.
func (w *window) fetch(ctx context.Context, s *Shard, p []byte, offset int64) (n int, err error) {
	r, err := w.tree.Open(ctx, s.Path, offset)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if n, err = io.ReadFull(r, p); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("at %d: %w: it ends before its former %d bytes", offset+int64(n), datasets.ErrChanged, s.Size)
		}
		return 0, err
	}
	if err := w.ask(ctx, s); err != nil {
		return 0, err
	}
	return n, nil
}

// check verifies that the shard is unchanged since it was listed, if the last
// check has expired.
func (w *window) check(ctx context.Context, s *Shard) error {
	w.mu.Lock()
	last := w.seen[s.Path]
	w.mu.Unlock()
	if last.identity == s.Identity && time.Since(last.at) < w.trust {
		return nil
	}
	return w.ask(ctx, s)
}

func (w *window) ask(ctx context.Context, s *Shard) error {
	now := time.Now()
	info, err := w.tree.Stat(ctx, s.Path)
	if err != nil {
		return err
	}
	if info.Size != s.Size || !info.Modified.Equal(s.Modified) || s.Identity != "" && info.Identity != s.Identity {
		return fmt.Errorf("%w: it was replaced or written to since it was listed", datasets.ErrChanged)
	}
	if s.Identity != "" {
		w.mu.Lock()
		w.seen[s.Path] = seen{s.Identity, now}
		w.mu.Unlock()
	}
	return nil
}
