package inference

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"tkit/internal/pipeline"
	"tkit/internal/tensorflow"
)

// An Item is one image of a [Stream].
type Item struct {
	Key string
	// Read returns the encoded bytes. It is called once, by one of several
	// goroutines. A *pipeline.ImageError sets the image aside; any other error
	// ends the run, unless the item is optional.
	Read func(ctx context.Context) ([]byte, error)
	// Optional also sets the image aside if Read fails.
	Optional bool
	// Vary, if set, changes the preprocessed image, height × width × channels
	// values, before it goes through the trunk (augmentation). It is called for
	// each view of an image.
	Vary func(image []float32)
}

// Emit receives the result for the i-th item, counted from 0: a row of values, valid
// only during the call, or the error for which it was set aside. Calls come one at a
// time and in the order of the items. An error ends the run.
type Emit func(i int, item Item, row []float32, err error) error

// A Stream computes the bottlenecks of many images in order, or their
// probabilities if it has a head, at the full speed of its trunk: while batches
// run, the next one is read and decoded directly into its rows. Which images share
// a batch depends only on their order, so that the same images give the same bits.
// A stream does not own its parts, and several runs may be active at a time.
type Stream struct {
	Pipeline *pipeline.Pipeline
	Trunk    *Trunk
	Head     *Head // nil: the rows are bottlenecks

	// Batch is the number of images in a batch, 0 for 16. Each view of an image
	// counts as one.
	Batch int
	// Parallel is the number of batches in the trunk at a time, 0 for 1. See
	// [Throughput].
	Parallel int
	// Readers is the number of images being read at a time, 0 for twice the
	// number of cores. Remote stores need more.
	Readers int
}

// Run sends the items through pipeline, trunk and head. At most Parallel + 1 batches
// are in memory, one of which is being filled. When Run returns, all its goroutines
// have ended, except passes of the trunk that a cancelled context has abandoned;
// closing the trunk waits for those.
func (s *Stream) Run(ctx context.Context, items iter.Seq[Item], emit Emit) error {
	size, parallel := max(1, positive(s.Batch, 16)/s.Pipeline.Views()), positive(s.Parallel, 1)
	group, within := errgroup.WithContext(ctx)
	x := &streaming{
		Stream:   s,
		emit:     emit,
		loaded:   make(semaphore, parallel+1),
		running:  make(semaphore, parallel),
		reading:  make(semaphore, positive(s.Readers, 2*runtime.GOMAXPROCS(0))),
		decoding: make(semaphore, runtime.GOMAXPROCS(0)),
	}
	before := make(chan struct{})
	close(before)
	turn := before
	first := 0
	start := func(chunk []Item) error {
		if err := x.loaded.acquire(within); err != nil {
			return err
		}
		l := &load{first: first, items: chunk, turn: turn, asked: make(chan struct{}), before: before, emitted: make(chan struct{})}
		turn, before, first = l.asked, l.emitted, first+len(chunk)
		group.Go(func() error {
			defer x.loaded.release()
			return x.carry(within, l)
		})
		return nil
	}
	err := inChunks(items, size, start)
	if failed := group.Wait(); failed != nil {
		return failed
	}
	return err
}

func positive(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// inChunks passes the items on in chunks of the given size until do fails.
func inChunks(items iter.Seq[Item], size int, do func([]Item) error) error {
	var chunk []Item
	for item := range items {
		if chunk = append(chunk, item); len(chunk) == size {
			if err := do(chunk); err != nil {
				return err
			}
			chunk = nil
		}
	}
	if len(chunk) == 0 {
		return nil
	}
	return do(chunk)
}

// streaming is one run of a Stream.
type streaming struct {
	*Stream
	emit     Emit
	loaded   semaphore // loads in memory
	running  semaphore // loads in the trunk
	reading  semaphore // images being read and decoded
	decoding semaphore // images being decoded
}

// load is a batch while its rows are computed.
type load struct {
	first   int // the index of its first item
	items   []Item
	turn    <-chan struct{} // closed when all items of the previous load are being read
	asked   chan struct{}   // closed when all items of this load are being read
	before  <-chan struct{} // closed when the previous load is emitted
	emitted chan struct{}   // closed when this load is emitted; never after an error
}

// carry computes and emits a load.
func (x *streaming) carry(ctx context.Context, l *load) error {
	faults := make([]error, len(l.items))
	images, err := x.fill(ctx, l, faults)
	if err != nil {
		return err
	}
	defer images.Close()
	rows, err := x.run(ctx, images)
	if err != nil {
		return err
	}
	defer rows.Close()
	images.Close() // emit may be slow
	select {
	case <-l.before:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := x.pass(l, faults, rows); err != nil {
		return err
	}
	close(l.emitted)
	return nil
}

// fill reads and decodes a load's items, and records the errors of those that are
// set aside. The tensor is nil when all are. Loads are filled one after the other:
// the first is full early, and the others are read while it runs.
func (x *streaming) fill(ctx context.Context, l *load, faults []error) (*tensorflow.Tensor, error) {
	b, err := newBatch(x.Pipeline, len(l.items))
	if err != nil {
		return nil, err
	}
	select {
	case <-l.turn:
	case <-ctx.Done(): // checked below
	}
	group, within := errgroup.WithContext(ctx)
	for i, item := range l.items {
		if x.reading.acquire(within) != nil {
			break // checked below
		}
		group.Go(func() error {
			defer x.reading.release()
			err := x.decode(within, item, b.row(i))
			if bad := (*pipeline.ImageError)(nil); errors.As(err, &bad) {
				faults[i] = err
				return nil
			}
			if unread := (*unreadError)(nil); errors.As(err, &unread) && item.Optional && within.Err() == nil {
				faults[i] = unread.error
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", item.Key, err)
			}
			return nil
		})
	}
	close(l.asked)
	err = group.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b.take(func(i int) bool { return faults[i] == nil })
}

// unreadError is the error of an item's Read.
type unreadError struct{ error }

func (e *unreadError) Unwrap() error { return e.error }

func (x *streaming) decode(ctx context.Context, item Item, row []float32) error {
	encoded, err := item.Read(ctx)
	if err != nil {
		return &unreadError{err}
	}
	if err := x.decoding.acquire(ctx); err != nil {
		return err
	}
	defer x.decoding.release()
	if err := x.Pipeline.Into(ctx, encoded, row); err != nil {
		return err
	}
	if item.Vary != nil {
		for view := range slices.Chunk(row, len(row)/x.Pipeline.Views()) {
			item.Vary(view)
		}
	}
	return nil
}

// run computes the rows of the images once the trunk is free.
func (x *streaming) run(ctx context.Context, images *tensorflow.Tensor) (*tensorflow.Tensor, error) {
	if images == nil {
		return nil, nil
	}
	if err := x.running.acquire(ctx); err != nil {
		return nil, err
	}
	defer x.running.release()
	bottlenecks, err := x.Trunk.RunViews(ctx, images, x.Pipeline.Views())
	if err != nil || x.Head == nil {
		return bottlenecks, err
	}
	defer bottlenecks.Close()
	return x.Head.Run(ctx, bottlenecks)
}

// pass emits a load.
func (x *streaming) pass(l *load, faults []error, rows *tensorflow.Tensor) error {
	var flat []float32
	width := 0
	if rows != nil {
		flat = rows.Float32()
		width = len(flat) / int(rows.Shape()[0])
	}
	for i, item := range l.items {
		var row []float32
		if faults[i] == nil {
			row, flat = flat[:width:width], flat[width:]
		}
		if err := x.emit(l.first+i, item, row, faults[i]); err != nil {
			return err
		}
	}
	return nil
}
