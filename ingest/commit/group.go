// Package commit lets concurrent callers share transactions.
package commit

import (
	"context"
	"errors"
	"sync"
)

// ErrClosed is the error of a call after Close.
var ErrClosed = errors.New("it is closed")

// A Group collects the items of callers that wait at the same time, and commits them
// together. While one commit is in progress, the items for the next one gather. Its
// methods may be called concurrently. Close ends it.
type Group[T any] struct {
	most     int
	commit   func([]T) []error
	requests chan request[T]
	closed   chan struct{}
	closing  sync.Once
	writing  sync.WaitGroup
}

type request[T any] struct {
	item T
	done chan error
}

// NewGroup returns a group that calls commit with one to most items, one call at a
// time. commit returns nil if all are committed, and otherwise the error of each item.
func NewGroup[T any](most int, commit func([]T) []error) *Group[T] {
	g := &Group[T]{most: most, commit: commit, requests: make(chan request[T]), closed: make(chan struct{})}
	g.writing.Go(g.write)
	return g
}

// Do commits an item and returns its error. If ctx ends first, the item may still be
// committed.
func (g *Group[T]) Do(ctx context.Context, item T) error {
	r := request[T]{item, make(chan error, 1)}
	select {
	case g.requests <- r:
	case <-g.closed:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close waits for the commit in progress. Later calls of Do fail.
func (g *Group[T]) Close() {
	g.closing.Do(func() { close(g.closed) })
	g.writing.Wait()
}

// write commits until the group is closed.
func (g *Group[T]) write() {
	for {
		select {
		case first := <-g.requests:
			batch := g.gather(first)
			items := make([]T, len(batch))
			for i, r := range batch {
				items[i] = r.item
			}
			errs := g.commit(items)
			for i, r := range batch {
				var err error
				if errs != nil {
					err = errs[i]
				}
				r.done <- err
			}
		case <-g.closed:
			return
		}
	}
}

// gather returns a request and those that wait.
func (g *Group[T]) gather(first request[T]) []request[T] {
	batch := []request[T]{first}
	for len(batch) < g.most {
		select {
		case r := <-g.requests:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// All returns the errors of a commit of n items that failed as a whole, or nil.
func All(n int, err error) []error {
	if err == nil {
		return nil
	}
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}
