package commit

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// Items that wait during a commit are committed together, and each caller gets the
// error of its own item.
func TestGroup(t *testing.T) {
	entered, release := make(chan []int), make(chan struct{})
	g := NewGroup(10, func(items []int) []error {
		entered <- items
		<-release
		errs := make([]error, len(items))
		for i, item := range items {
			if item == 7 {
				errs[i] = errors.New("seven")
			}
		}
		return errs
	})
	defer g.Close()
	var callers sync.WaitGroup
	results := make([]error, 12)
	call := func(i int) {
		callers.Go(func() { results[i] = g.Do(t.Context(), i) })
	}
	call(0)
	if first := <-entered; len(first) != 1 {
		t.Errorf("first commit: %v", first)
	}
	for i := 1; i < len(results); i++ {
		call(i)
	}
	commits := 1
	go func() {
		callers.Wait()
		close(entered)
	}()
	release <- struct{}{}
	for range entered {
		commits++
		release <- struct{}{}
	}
	if commits > len(results) || commits < 3 {
		t.Errorf("%d commits of %d items", commits, len(results))
	}
	for i, err := range results {
		if (err != nil) != (i == 7) {
			t.Errorf("item %d: %v", i, err)
		}
	}
}

func TestClosed(t *testing.T) {
	g := NewGroup(1, func([]int) []error { return nil })
	g.Close()
	if err := g.Do(t.Context(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// A caller does not wait longer than its context.
func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	g := NewGroup(1, func([]int) []error {
		cancel()
		<-release
		return nil
	})
	if err := g.Do(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	close(release)
	g.Close()
}
