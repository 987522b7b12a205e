package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A stepper is a pass that reports every batch to the test and waits until the
// test lets it continue. The bottleneck of a row is its first value, doubled.
type stepper struct {
	begun chan []float32 // the first value of each row of a batch
	leave chan error
}

func newStepper() *stepper {
	return &stepper{begun: make(chan []float32), leave: make(chan error)}
}

func (s *stepper) pass(_ [3]int, rows [][]float32) (Bottlenecks, error) {
	firsts := make([]float32, len(rows))
	for i, r := range rows {
		firsts[i] = r[0]
	}
	s.begun <- firsts
	if err := <-s.leave; err != nil {
		return Bottlenecks{}, err
	}
	out := make([][]float32, len(rows))
	for i, f := range firsts {
		out[i] = []float32{2 * f}
	}
	return Bottlenecks{Rows: out, Shape: []int64{1}}, nil
}

func value(v float32) Row {
	return Row{Shape: [3]int{1, 1, 1}, Fill: func(_ context.Context, dst []float32) error { dst[0] = v; return nil }}
}

func keyed(key string, v float32) Row {
	r := value(v)
	r.Key = key
	return r
}

type answer struct {
	outcomes []Outcome
	err      error
}

func ask(ctx context.Context, b *Batcher, rows ...Row) <-chan answer {
	c := make(chan answer, 1)
	go func() {
		o, err := b.Do(ctx, rows)
		c <- answer{o, err}
	}()
	return c
}

func newTestBatcher(t *testing.T, s *stepper, l Limits) *Batcher {
	b := newBatcher(s.pass, l, NewMetrics(), "trunk")
	t.Cleanup(b.Close)
	return b
}

// checkEmpty closes the batcher and fails if it still holds any rows.
func checkEmpty(t *testing.T, b *Batcher) {
	t.Helper()
	b.Close()
	if b.waiting != 0 || len(b.rows) != 0 || len(b.queue) != 0 {
		t.Errorf("left behind: %d waiting, %d rows, %d queued", b.waiting, len(b.rows), len(b.queue))
	}
}

// The tests run in a bubble: synctest.Wait returns when all goroutines are
// blocked, so that no test sleeps.

func TestBatcherRunsAtOnceAndGathersBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStepper()
		b := newTestBatcher(t, s, Limits{MaxBatch: 2, MaxQueue: 10})
		first := ask(t.Context(), b, value(1))
		if got := <-s.begun; !slices.Equal(got, []float32{1}) {
			t.Fatalf("a lone row ran as %v", got)
		}
		var rest []<-chan answer
		for v := range 3 {
			rest = append(rest, ask(t.Context(), b, value(float32(v+2))))
			synctest.Wait() // keep the order of arrival
		}
		s.leave <- nil
		if a := <-first; a.err != nil || a.outcomes[0].Bottleneck[0] != 2 || a.outcomes[0].Batch != 1 {
			t.Errorf("first: %+v", a)
		}
		for _, want := range [][]float32{{2, 3}, {4}} {
			if got := <-s.begun; !slices.Equal(got, want) {
				t.Errorf("batch %v, want %v", got, want)
			}
			s.leave <- nil
		}
		for i, c := range rest {
			if a := <-c; a.err != nil || a.outcomes[0].Bottleneck[0] != float32(2*(i+2)) {
				t.Errorf("row %d: %+v", i, a)
			}
		}
	})
}

func TestBatcherSharesEqualRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStepper()
		b := newTestBatcher(t, s, Limits{MaxBatch: 8, MaxQueue: 3})
		blocker := ask(t.Context(), b, value(9))
		<-s.begun
		// Twenty requests for one row, and one that has it twice, take one
		// place of the queue.
		var askers []<-chan answer
		for range 20 {
			askers = append(askers, ask(t.Context(), b, keyed("a", 1)))
		}
		twice := ask(t.Context(), b, keyed("a", 1), keyed("b", 5), keyed("a", 1))
		synctest.Wait()
		s.leave <- nil
		batch := slices.Sorted(slices.Values(<-s.begun))
		if !slices.Equal(batch, []float32{1, 5}) {
			t.Errorf("batch %v, want one row each", batch)
		}
		// One more request joins a row that is running.
		askers = append(askers, ask(t.Context(), b, keyed("a", 1)))
		synctest.Wait()
		s.leave <- nil
		for _, c := range append(askers, blocker) {
			if a := <-c; a.err != nil {
				t.Error(a.err)
			}
		}
		a := <-twice
		if a.err != nil || a.outcomes[0].Bottleneck[0] != 2 || a.outcomes[1].Bottleneck[0] != 10 || a.outcomes[2].Bottleneck[0] != 2 {
			t.Errorf("asked twice: %+v", a)
		}
	})
}

func TestBatcherRefusesWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStepper()
		b := newTestBatcher(t, s, Limits{MaxBatch: 8, MaxQueue: 2})
		running := ask(t.Context(), b, value(1))
		<-s.begun
		waiting := ask(t.Context(), b, value(2))
		synctest.Wait()
		_, err := b.Do(t.Context(), []Row{value(3), value(4)})
		var e *Error
		if !errors.As(err, &e) || e.Reason != Overloaded || e.RetryAfter < time.Second {
			t.Errorf("a full queue answered %v", err)
		}
		also := ask(t.Context(), b, value(5)) // one still fits
		synctest.Wait()
		s.leave <- nil
		if got := <-s.begun; !slices.Equal(got, []float32{2, 5}) {
			t.Errorf("batch %v", got)
		}
		s.leave <- nil
		for _, c := range []<-chan answer{running, waiting, also} {
			if a := <-c; a.err != nil {
				t.Error(a.err)
			}
		}
	})
}

func TestBatcherDropsWhomNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStepper()
		b := newTestBatcher(t, s, Limits{MaxBatch: 8, MaxQueue: 10})
		running := ask(t.Context(), b, value(1))
		<-s.begun

		cancelled, cancel := context.WithCancel(t.Context())
		gone := ask(cancelled, b, value(2), keyed("shared", 3))
		short, done := context.WithTimeout(t.Context(), time.Second)
		defer done()
		expired := ask(short, b, value(4))
		stays := ask(t.Context(), b, keyed("shared", 3))
		filling, stop := context.WithCancel(t.Context())
		stuck := ask(filling, b, Row{Fill: func(ctx context.Context, _ []float32) error {
			<-ctx.Done() // a decoder that ends when its caller has left
			return ctx.Err()
		}})
		synctest.Wait()

		cancel()
		stop()
		if a := <-gone; !errors.Is(a.err, context.Canceled) {
			t.Errorf("cancelled: %v", a.err)
		}
		if a := <-stuck; !errors.Is(a.err, context.Canceled) {
			t.Errorf("cancelled while decoding: %v", a.err)
		}
		if a := <-expired; !errors.Is(a.err, context.DeadlineExceeded) { // time passes in the bubble
			t.Errorf("expired: %v", a.err)
		}
		synctest.Wait()
		s.leave <- nil
		if got := <-s.begun; !slices.Equal(got, []float32{3}) {
			t.Errorf("batch %v, want only the row that is waited for", got)
		}
		s.leave <- nil
		for _, c := range []<-chan answer{running, stays} {
			if a := <-c; a.err != nil {
				t.Error(a.err)
			}
		}
		checkEmpty(t, b)
	})
}

// A new shape can be warmed up while the trunk is always busy.
func TestBatcherWarmsUpBetweenBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStepper()
		b := newTestBatcher(t, s, Limits{MaxBatch: 1, MaxQueue: 10})
		first, second := ask(t.Context(), b, value(1)), ask(t.Context(), b, value(2))
		<-s.begun
		warm := make(chan error, 1)
		go func() {
			shape, err := b.WarmUp(t.Context(), [3]int{1, 1, 1}, 3)
			if err == nil && !slices.Equal(shape, []int64{1}) {
				err = fmt.Errorf("bottlenecks of %v", shape)
			}
			warm <- err
		}()
		synctest.Wait()
		s.leave <- nil
		if got := <-s.begun; !slices.Equal(got, []float32{0, 0, 0}) {
			t.Errorf("after the first batch %v ran, want three blank rows", got)
		}
		s.leave <- nil
		if err := <-warm; err != nil {
			t.Error(err)
		}
		<-s.begun
		s.leave <- nil
		for _, c := range []<-chan answer{first, second} {
			if a := <-c; a.err != nil {
				t.Error(a.err)
			}
		}
		b.Close()
		if _, err := b.WarmUp(t.Context(), [3]int{1, 1, 1}, 1); ReasonOf(err) != Unavailable {
			t.Errorf("after close: %v", err)
		}
	})
}

func TestBatcherFailures(t *testing.T) {
	corrupt := errors.New("corrupt")
	t.Run("fill", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStepper()
			b := newTestBatcher(t, s, Limits{MaxBatch: 8, MaxQueue: 10})
			blocker := ask(t.Context(), b, value(0))
			<-s.begun
			bad := Row{Key: "bad", Fill: func(context.Context, []float32) error { return corrupt }}
			_, err := b.Do(t.Context(), []Row{value(1), bad, value(2)})
			var row *RowError
			if !errors.As(err, &row) || row.Index != 1 || !errors.Is(err, corrupt) {
				t.Errorf("got %v", err)
			}
			s.leave <- nil
			<-blocker
		})
	})
	t.Run("pass", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStepper()
			b := newTestBatcher(t, s, Limits{MaxBatch: 8, MaxQueue: 10})
			c := ask(t.Context(), b, value(1))
			<-s.begun
			s.leave <- corrupt
			if a := <-c; !errors.Is(a.err, corrupt) {
				t.Errorf("got %v", a.err)
			}
			c = ask(t.Context(), b, value(2)) // and the next one runs
			<-s.begun
			s.leave <- nil
			if a := <-c; a.err != nil {
				t.Error(a.err)
			}
		})
	})
	t.Run("a fill panics", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStepper()
			b := newTestBatcher(t, s, Limits{MaxBatch: 8, MaxQueue: 10})
			bad := Row{Fill: func(context.Context, []float32) error { panic("a defect") }}
			_, err := b.Do(t.Context(), []Row{bad})
			if ReasonOf(err) != Internal || !strings.Contains(err.Error(), "a defect") {
				t.Errorf("got %v", err)
			}
			checkEmpty(t, b)
		})
	})
	t.Run("a pass panics", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			failing := true
			pass := func(_ [3]int, rows [][]float32) (Bottlenecks, error) {
				if failing {
					panic("a defect")
				}
				return Bottlenecks{Rows: rows, Shape: []int64{1}}, nil
			}
			b := newBatcher(pass, Limits{MaxBatch: 8, MaxQueue: 10}, NewMetrics(), "trunk")
			defer b.Close()
			if _, err := b.Do(t.Context(), []Row{value(1)}); ReasonOf(err) != Internal {
				t.Errorf("got %v", err)
			}
			if _, err := b.WarmUp(t.Context(), [3]int{1, 1, 1}, 1); ReasonOf(err) != Internal {
				t.Errorf("warming up: %v", err)
			}
			failing = false
			if _, err := b.Do(t.Context(), []Row{value(1)}); err != nil {
				t.Errorf("the next: %v", err)
			}
		})
	})
	t.Run("close", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStepper()
			b := newBatcher(s.pass, Limits{MaxBatch: 1, MaxQueue: 10}, NewMetrics(), "trunk")
			running, waiting := ask(t.Context(), b, value(1)), (<-chan answer)(nil)
			<-s.begun
			waiting = ask(t.Context(), b, value(2))
			synctest.Wait()
			go b.Close()
			synctest.Wait()
			s.leave <- nil
			if a := <-running; a.err != nil {
				t.Errorf("the running row: %v", a.err)
			}
			if a := <-waiting; ReasonOf(a.err) != Unavailable {
				t.Errorf("the waiting row: %v", a.err)
			}
			if _, err := b.Do(t.Context(), []Row{value(3)}); ReasonOf(err) != Unavailable {
				t.Errorf("after close: %v", err)
			}
		})
	})
}

// Many requests with short deadlines and cancellations, on the real clock:
// every result belongs to its request, and no rows remain.
func TestBatcherUnderLoad(t *testing.T) {
	double := func(_ [3]int, rows [][]float32) (Bottlenecks, error) {
		out := make([][]float32, len(rows))
		for i, r := range rows {
			out[i] = []float32{2 * r[0]}
		}
		return Bottlenecks{Rows: out, Shape: []int64{1}}, nil
	}
	b := newBatcher(double, Limits{MaxBatch: 7, MaxQueue: 64}, NewMetrics(), "trunk")
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 300 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%5 == 0 {
					go cancel()
				}
				v := float32(i % 10)
				o, err := b.Do(ctx, []Row{keyed(fmt.Sprint(v), v), value(float32(g))})
				switch {
				case err == nil && (o[0].Bottleneck[0] != 2*v || o[1].Bottleneck[0] != float32(2*g)):
					t.Errorf("another's answer: %v for %v and %v", o, v, g)
				case err != nil && ReasonOf(err) != Cancelled:
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	checkEmpty(t, b)
}
