package inference

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"tkit/internal/guard"
)

// A Batcher collects rows into batches for one trunk. It is work-conserving: if
// the trunk is idle, a row runs immediately and alone; while a batch runs, the
// next one is collected. So batches grow with the load, and a single request
// does not wait.
//
// All passes run on one operating system thread. TensorFlow's CPU kernels cache the
// preparation for each batch size per thread: with one thread there is one cache,
// and it stays warm.
//
// Its methods may be called concurrently.
type Batcher struct {
	pass    Pass
	limits  Limits
	metrics batchMetrics

	buffers sync.Pool // of *[]float32: buffers for the values of a row

	stop   context.Context // cancels the loop and fills
	cancel context.CancelFunc
	wake   chan struct{} // capacity 1: the queue is not empty
	alone  chan func()   // passes for the warm-up
	tasks  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	rows    map[string]*entry // by key: rows that can be joined
	queue   []*entry          // filled, in order of arrival
	waiting int               // rows being filled or queued
	perRow  time.Duration     // mean time of the trunk for a row
}

// newBatcher starts a batcher that runs its batches by pass. Close ends it.
func newBatcher(pass Pass, limits Limits, metrics *Metrics, trunk string) *Batcher {
	ctx, cancel := context.WithCancel(context.Background())
	b := &Batcher{
		pass: pass, limits: limits, metrics: metrics.batch(trunk),
		stop: ctx, cancel: cancel, wake: make(chan struct{}, 1), alone: make(chan func()), rows: map[string]*entry{},
	}
	b.tasks.Go(b.loop)
	return b
}

// errClosed is the error of rows that a closing batcher still holds. The
// manager closes a trunk only when no request uses it, so no client sees it.
var errClosed = &Error{Reason: Unavailable, Err: errors.New("the model is being unloaded")}

// Close ends the batcher: rows still in it fail. It returns when the last pass
// and the last fill have ended.
func (b *Batcher) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.tasks.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.queue {
		b.finish(e, errClosed)
	}
	b.queue = nil
}

// Do sends the rows of one request through the trunk and waits for all of them. If
// a row fails, the request fails with a *RowError about the first such row. If the
// queue is full, it fails immediately with the reason Overloaded, before anything
// is decoded. When ctx ends, its rows leave the batcher unless other requests wait
// for them too.
func (b *Batcher) Do(ctx context.Context, rows []Row) ([]Outcome, error) {
	finished := make(chan int, len(rows))
	entries, err := b.enqueue(ctx, rows, finished)
	if err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(rows))
	for range rows {
		select {
		case i := <-finished:
			if err := entries[i].err; err != nil {
				b.leave(entries, finished)
				return nil, &RowError{Index: i, Err: err}
			}
			outcomes[i] = entries[i].outcome
		case <-ctx.Done():
			b.leave(entries, finished)
			return nil, ctx.Err()
		}
	}
	return outcomes, nil
}

// enqueue finds or makes an entry for each row and starts filling the new ones,
// all or none.
func (b *Batcher) enqueue(ctx context.Context, rows []Row, finished chan<- int) ([]*entry, error) {
	deadline, _ := ctx.Deadline()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	if n := b.countNew(rows); b.waiting+n > b.limits.MaxQueue {
		b.metrics.rejected.Add(float64(n))
		return nil, &Error{
			Reason: Overloaded, RetryAfter: retryAfter(b.waiting, b.perRow),
			Err: fmt.Errorf("%d images are waiting already and the queue holds %d: try again later", b.waiting, b.limits.MaxQueue),
		}
	}
	entries := make([]*entry, len(rows))
	for i, row := range rows {
		if e, ok := b.rows[row.Key]; ok && row.Key != "" {
			e.waiters = append(e.waiters, waiter{finished, i})
			e.deadline = later(e.deadline, deadline)
			b.metrics.joined.Inc()
			entries[i] = e
			continue
		}
		fill, abandon := context.WithCancel(b.stop)
		e := &entry{
			row: row, fill: fill, abandon: abandon, waiters: []waiter{{finished, i}},
			deadline: deadline,
		}
		if row.Key != "" {
			b.rows[row.Key] = e
		}
		b.setWaiting(b.waiting + 1)
		b.tasks.Go(func() { b.fill(e) })
		entries[i] = e
	}
	return entries, nil
}

// countNew returns how many rows need a new entry.
func (b *Batcher) countNew(rows []Row) int {
	n := 0
	seen := map[string]bool{}
	for _, row := range rows {
		if row.Key != "" {
			if seen[row.Key] || b.rows[row.Key] != nil {
				continue
			}
			seen[row.Key] = true
		}
		n++
	}
	return n
}

// fill makes a row's tensor and puts the row in the queue.
func (b *Batcher) fill(e *entry) {
	begun := time.Now()
	data := b.buffer(e.row.Shape)
	err := guard.Call(func() error { return e.row.Fill(e.fill, *data) })
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err != nil:
		b.setWaiting(b.waiting - 1)
		b.finish(e, err)
	case len(e.waiters) == 0:
		b.setWaiting(b.waiting - 1)
	default:
		e.outcome.Fill, e.queued = now.Sub(begun), now
		e.data, e.stage = data, queued
		b.queue = append(b.queue, e)
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
}

// buffer returns a buffer for the values of one row. Buffers are reused: they are
// large enough to be a load on the garbage collector.
func (b *Batcher) buffer(shape [3]int) *[]float32 {
	n := shape[0] * shape[1] * shape[2]
	if used, ok := b.buffers.Get().(*[]float32); ok && cap(*used) >= n {
		*used = (*used)[:n]
		return used
	}
	return new(make([]float32, n))
}

// leave removes a request's waiters from its entries. A row that nobody waits for
// leaves the queue, or stops being filled. A running one continues, because its
// batch does.
func (b *Batcher) leave(entries []*entry, finished chan<- int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range entries {
		if e.stage >= running {
			continue
		}
		before := len(e.waiters)
		e.waiters = slices.DeleteFunc(e.waiters, func(w waiter) bool { return w.finished == finished })
		if before == 0 || len(e.waiters) > 0 {
			continue // the request had the row twice, or others wait for it
		}
		b.forget(e)
		if i := slices.Index(b.queue, e); i >= 0 {
			b.queue = slices.Delete(b.queue, i, i+1)
			b.setWaiting(b.waiting - 1)
		}
	}
}

// WarmUp makes one pass of n blank rows of a shape between the batches, and
// returns the shape of a bottleneck.
func (b *Batcher) WarmUp(ctx context.Context, shape [3]int, n int) (bottleneck []int64, err error) {
	blank := make([]float32, shape[0]*shape[1]*shape[2])
	done := make(chan struct{})
	pass := func() {
		defer close(done)
		err = guard.Call(func() error {
			passed, err := b.pass(shape, slices.Repeat([][]float32{blank}, n))
			bottleneck = passed.Shape
			return err
		})
	}
	select {
	case b.alone <- pass:
		<-done
		return bottleneck, err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-b.stop.Done():
		return nil, errClosed
	}
}

// loop runs batches until the batcher closes.
func (b *Batcher) loop() {
	runtime.LockOSThread() // until the goroutine ends, and the thread with it
	for {
		select {
		case <-b.stop.Done():
			return
		case pass := <-b.alone:
			pass()
		case <-b.wake:
			for batch := b.next(time.Now()); len(batch) > 0; batch = b.next(time.Now()) {
				b.run(batch)
				select {
				case pass := <-b.alone: // also while the queue is not empty
					pass()
				default:
				}
			}
		}
	}
}

// next takes the next batch out of the queue and ends the expired rows.
func (b *Batcher) next(now time.Time) []*entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	views := make([]pending, len(b.queue))
	for i, e := range b.queue {
		views[i] = pending{shape: e.row.Shape, deadline: e.deadline}
	}
	planned, expired := planBatch(views, now, b.limits.MaxBatch)
	for _, i := range expired {
		b.finish(b.queue[i], context.DeadlineExceeded)
		b.queue[i] = nil
	}
	batch := make([]*entry, len(planned))
	for k, i := range planned {
		batch[k] = b.queue[i]
		batch[k].stage = running
		b.queue[i] = nil
	}
	b.queue = slices.DeleteFunc(b.queue, func(e *entry) bool { return e == nil })
	b.setWaiting(b.waiting - len(planned) - len(expired))
	b.metrics.expired.Add(float64(len(expired)))
	return batch
}

// run sends a batch through the trunk and distributes the bottlenecks.
func (b *Batcher) run(batch []*entry) {
	rows := make([][]float32, len(batch))
	for i, e := range batch {
		rows[i] = *e.data
	}
	begun := time.Now()
	var passed Bottlenecks
	err := guard.Call(func() (err error) {
		passed, err = b.pass(batch[0].row.Shape, rows)
		return err
	})
	took := time.Since(begun)
	if n := len(passed.Rows); err == nil && n != len(batch) {
		err = fmt.Errorf("the trunk gave %d bottlenecks for %d images", n, len(batch))
	}
	for _, e := range batch {
		b.buffers.Put(e.data)
		e.data = nil
	}
	b.metrics.passes(len(batch), took)

	b.mu.Lock()
	defer b.mu.Unlock()
	b.perRow = smooth(b.perRow, took/time.Duration(len(batch)))
	for i, e := range batch {
		if err != nil {
			b.finish(e, err)
			continue
		}
		e.outcome.Queue, e.outcome.Pass, e.outcome.Batch = begun.Sub(e.queued), passed.Took, len(batch)
		e.outcome.Bottleneck, e.outcome.Shape = passed.Rows[i], passed.Shape
		b.metrics.queued.Observe(e.outcome.Queue.Seconds())
		b.finish(e, nil)
	}
}

// finish ends an entry; everyone who waits for it wakes.
func (b *Batcher) finish(e *entry, err error) {
	e.err, e.data, e.stage = err, nil, finished
	b.forget(e)
	for _, w := range e.waiters {
		w.finished <- w.index
	}
}

// forget ends an entry's context, and lets no further row join it.
func (b *Batcher) forget(e *entry) {
	if e.row.Key != "" && b.rows[e.row.Key] == e {
		delete(b.rows, e.row.Key)
	}
	e.abandon()
}

func (b *Batcher) setWaiting(n int) {
	b.waiting = n
	b.metrics.waiting.Set(float64(n))
}
