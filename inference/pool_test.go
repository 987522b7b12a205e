package inference

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// A part counts how often it was made and closed.
type part struct{ closed *atomic.Int64 }

func (p part) Close() error {
	p.closed.Add(1)
	return nil
}

func TestPoolMakesOnceAndClosesLast(t *testing.T) {
	var p pool[string, part]
	var made, closed atomic.Int64
	build := func(context.Context) (part, error) {
		made.Add(1)
		return part{&closed}, nil
	}
	releases := make(chan func() error, 20)
	var wg sync.WaitGroup
	for range cap(releases) {
		wg.Go(func() {
			_, release, err := p.get(t.Context(), "a", build)
			if err != nil {
				t.Error(err)
				return
			}
			releases <- release
		})
	}
	wg.Wait()
	close(releases)
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
	for release := range releases {
		if closed.Load() != 0 {
			t.Fatal("closed while it is used")
		}
		for range 2 { // a second release has no effect
			if err := release(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if closed.Load() != 1 {
		t.Errorf("closed %d times", closed.Load())
	}
	_, release, err := p.get(t.Context(), "a", build)
	if err != nil || made.Load() != 2 {
		t.Errorf("after its end: %v, made %d times", err, made.Load())
	}
	if err := release(); err != nil || len(p.items) != 0 {
		t.Errorf("%v, %d left", err, len(p.items))
	}
}

func TestPoolFailsForAllAndForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pool[string, part]
		broken := errors.New("broken")
		proceed := make(chan struct{})
		fail := func(context.Context) (part, error) {
			<-proceed
			return part{}, broken
		}
		errs := make(chan error, 3)
		for range cap(errs) {
			go func() {
				_, _, err := p.get(t.Context(), "a", fail)
				errs <- err
			}()
		}
		synctest.Wait()
		close(proceed)
		for range cap(errs) {
			if err := <-errs; !errors.Is(err, broken) {
				t.Error(err)
			}
		}
		var closed atomic.Int64
		_, release, err := p.get(t.Context(), "a", func(context.Context) (part, error) { return part{&closed}, nil })
		if err != nil {
			t.Fatalf("a failure is remembered: %v", err)
		}
		if err := release(); err != nil || closed.Load() != 1 {
			t.Errorf("%v, closed %d times", err, closed.Load())
		}
	})
}

// A caller that stops waiting for the maker leaves no reference behind.
func TestPoolWaiterGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pool[string, part]
		var closed atomic.Int64
		proceed := make(chan struct{})
		type got struct {
			release func() error
			err     error
		}
		maker := make(chan got, 1)
		go func() {
			_, release, err := p.get(t.Context(), "a", func(context.Context) (part, error) {
				<-proceed
				return part{&closed}, nil
			})
			maker <- got{release, err}
		}()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		waiter := make(chan error, 1)
		go func() {
			_, _, err := p.get(ctx, "a", nil)
			waiter <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-waiter; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(proceed)
		g := <-maker
		if g.err != nil || closed.Load() != 0 {
			t.Fatalf("the maker has %v; closed %d times", g.err, closed.Load())
		}
		if err := g.release(); err != nil || closed.Load() != 1 || len(p.items) != 0 {
			t.Errorf("%v, closed %d times, %d left", err, closed.Load(), len(p.items))
		}
	})
}
