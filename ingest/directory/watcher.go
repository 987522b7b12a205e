package directory

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// maxQueue is the number of files that the watcher knows at a time. Reading of the
// folder stops while there are so many.
const maxQueue = 1 << 16

// A Watcher reads a folder. Only one goroutine may call Next. The methods of its files
// may be called concurrently.
//
// A file is queued when it is first seen. When it reaches the head of the queue and
// has waited for Options.Settle, it is looked at again: if nothing has changed it is
// complete, otherwise it is queued again.
type Watcher struct {
	options Options
	running context.Context // ends with Close
	stop    context.CancelFunc
	tasks   sync.WaitGroup

	rescan chan struct{} // capacity 1: read the folder now

	mu      sync.Mutex
	queue   []sighting
	ahead   []reading       // files of the queue that are being read, in its order
	known   map[string]bool // paths in the queue or with the caller
	scanned bool            // everything that existed was seen, and nothing follows
	failure error           // the first one, without Options.Follow
	wake    chan struct{}   // closed at every change, and replaced
}

// A sighting is a file's state when it was seen.
type sighting struct {
	path  string
	stamp Stamp
	at    time.Time
}

// Open begins to read a folder. Close ends it.
func Open(ctx context.Context, o Options) (*Watcher, error) {
	if err := o.check(ctx); err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	w := &Watcher{
		options: o, rescan: make(chan struct{}, 1), known: make(map[string]bool), wake: make(chan struct{}),
	}
	w.running, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	var reported *events
	if o.Events && o.Follow {
		var err error
		if reported, err = openEvents(w); err != nil {
			o.Log.WarnContext(ctx, "no events of the folder: it is read at intervals only", "folder", o.Folder, "interval", o.Poll, "error", err)
		}
	}
	if reported != nil {
		w.tasks.Go(reported.run)
	}
	w.tasks.Go(func() { w.scan(reported) })
	return w, nil
}

// Close ends the reading. Files that were not delivered stay where they are.
func (w *Watcher) Close() {
	w.mu.Lock()
	w.stop() // no reading begins any more
	w.mu.Unlock()
	w.tasks.Wait()
}

// Next returns the next complete file. Without Options.Follow it returns io.EOF after
// the last one, or why a file or a folder was left out.
func (w *Watcher) Next(ctx context.Context) (*File, error) {
	for {
		first, wait, wake, err := w.readAhead()
		if err != nil {
			return nil, err
		}
		timer := time.NewTimer(wait)
		select {
		case f := <-first:
			timer.Stop()
			w.mu.Lock()
			w.ahead = w.ahead[1:]
			w.mu.Unlock()
			if f != nil {
				return f, nil
			}
		case <-timer.C:
		case <-wake:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-w.running.Done():
			timer.Stop()
			return nil, io.EOF
		}
	}
}

// Waiting returns the number of files that Next has not returned yet, as far as the
// watcher knows them.
func (w *Watcher) Waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue) + len(w.ahead)
}

// A reading gives the file that was read, or nil as [Watcher.open] does.
type reading struct {
	size int64
	file chan *File // capacity 1
}

// readAhead begins to read the files at the head of the queue that have settled, as many
// as may be read at a time. It returns the first reading, nil if there is none. If more
// may be read, it returns how long to wait for a file, and what ends the wait earlier.
func (w *Watcher) readAhead() (first <-chan *File, wait time.Duration, wake <-chan struct{}, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running.Err() != nil {
		return nil, 0, nil, io.EOF
	}
	for len(w.ahead) < max(1, w.options.Readers) {
		var s sighting
		if s, wait, wake, err = w.head(); err != nil || wait > 0 {
			break
		}
		r := reading{s.stamp.Size, make(chan *File, 1)}
		w.ahead = append(w.ahead, r)
		w.tasks.Go(func() { r.file <- w.open(s) })
	}
	switch {
	case len(w.ahead) == 0:
		return nil, wait, wake, err
	case err != nil || wait == 0: // nothing is in the queue, or no more may be read
		return w.ahead[0].file, time.Hour, nil, nil
	}
	return w.ahead[0].file, wait, wake, nil
}

// head takes the first sighting from the queue if it has settled, and if its file does
// not make those that are being read too large together. Otherwise it returns how long
// to wait for that, and what ends the wait earlier. The caller holds the lock.
func (w *Watcher) head() (s sighting, wait time.Duration, wake <-chan struct{}, err error) {
	if len(w.queue) == 0 {
		if w.scanned {
			return s, 0, nil, cmp.Or(w.failure, io.EOF)
		}
		return s, time.Hour, w.wake, nil
	}
	size := w.queue[0].stamp.Size
	for _, r := range w.ahead {
		size += r.size
	}
	if len(w.ahead) > 0 && size > w.options.MaxBytes {
		return s, time.Hour, w.wake, nil
	}
	if wait := w.options.Settle - time.Since(w.queue[0].at); wait > 0 {
		return s, wait, w.wake, nil
	}
	s = w.queue[0]
	w.queue[0] = sighting{}
	w.queue = w.queue[1:]
	w.changed()
	return s, 0, nil, nil
}

// add queues a file that is not known. It waits while the queue is full.
func (w *Watcher) add(path string, s Stamp) error {
	for {
		w.mu.Lock()
		if w.known[path] {
			w.mu.Unlock()
			return nil
		}
		if len(w.queue) < maxQueue {
			w.known[path] = true
			w.enqueue(path, s)
			w.mu.Unlock()
			return nil
		}
		wake := w.wake
		w.mu.Unlock()
		select {
		case <-wake:
		case <-w.running.Done():
			return w.running.Err()
		}
	}
}

// again queues a known file that has changed.
func (w *Watcher) again(path string, s Stamp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.enqueue(path, s)
}

func (w *Watcher) enqueue(path string, s Stamp) {
	w.queue = append(w.queue, sighting{path, s, time.Now()})
	w.changed()
}

// forget ends the interest in a file.
func (w *Watcher) forget(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.known, path)
}

// fail keeps an error that Next returns at the end.
func (w *Watcher) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failure == nil {
		w.failure = err
	}
}

// changed wakes everyone who waits for a change.
func (w *Watcher) changed() {
	close(w.wake)
	w.wake = make(chan struct{})
}
