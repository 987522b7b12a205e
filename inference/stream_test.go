package inference_test

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"tkit/inference"
	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

func extractor(t testing.TB) *inference.Stream {
	t.Helper()
	return &inference.Stream{
		Pipeline: compile(t, preprocessing.ForMode("none", side, side, 3)),
		Trunk:    openTrunk(t), Batch: 4, Parallel: 2,
	}
}

// colour returns the colour of the i-th item; every ninth is not an image.
func colour(i int) color.NRGBA { return color.NRGBA{uint8(i), uint8(3 * i), uint8(7 * i), 255} }

func faulty(i int) bool { return i%9 == 4 }

// items returns items; if read is set, it counts those that were read.
func items(t testing.TB, n int, read *atomic.Int64) iter.Seq[inference.Item] {
	return func(yield func(inference.Item) bool) {
		for i := range n {
			item := inference.Item{Key: fmt.Sprint("item ", i), Read: func(context.Context) ([]byte, error) {
				if read != nil {
					read.Add(1)
				}
				if faulty(i) {
					return []byte("broken"), nil
				}
				return plain(t, colour(i)), nil
			}}
			if !yield(item) {
				return
			}
		}
	}
}

func TestExtract(t *testing.T) {
	e := extractor(t)
	before := runtime.NumGoroutine()
	for _, n := range []int{0, 1, 4, 5, 103} {
		for _, parallel := range []int{0, 1, 3} {
			e.Parallel = parallel
			next := 0
			err := e.Run(t.Context(), items(t, n, nil), func(i int, item inference.Item, b []float32, err error) error {
				if i != next || item.Key != fmt.Sprint("item ", i) {
					t.Fatalf("item %d %q came when %d was due", i, item.Key, next)
				}
				next++
				if faulty(i) {
					if r := reason(t, err); r != pipeline.Unsupported || b != nil {
						t.Errorf("item %d: %q, %v", i, r, b)
					}
					return nil
				}
				c := colour(i)
				if want := []float32{float32(c.R), float32(c.G), float32(c.B)}; err != nil || !slices.Equal(b, want) {
					t.Errorf("item %d: %v, %v, want %v", i, b, err, want)
				}
				return nil
			})
			if err != nil || next != n {
				t.Errorf("%d items, %d at a time: %d came, %v", n, parallel, next, err)
			}
		}
	}
	settled(t, before)
}

// settled waits until the goroutines of runs have ended.
func settled(t testing.TB, n int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > n {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), n)
		}
		runtime.Gosched()
	}
}

func TestExtractAllFaulty(t *testing.T) {
	e := extractor(t)
	broken := func(yield func(inference.Item) bool) {
		for range 11 {
			if !yield(inference.Item{Read: func(context.Context) ([]byte, error) { return nil, nil }}) {
				return
			}
		}
	}
	n := 0
	err := e.Run(t.Context(), broken, func(_ int, _ inference.Item, _ []float32, err error) error {
		if r := reason(t, err); r != pipeline.Empty {
			t.Errorf("%q", r)
		}
		n++
		return nil
	})
	if err != nil || n != 11 {
		t.Errorf("%d came, %v", n, err)
	}
}

func TestExtractIsBounded(t *testing.T) {
	e := extractor(t)
	var read atomic.Int64
	err := e.Run(t.Context(), items(t, 200, &read), func(i int, _ inference.Item, _ []float32, _ error) error {
		start := i / e.Batch * e.Batch // of the batch that is being emitted
		if most := int64(start + (e.Parallel+1)*e.Batch); read.Load() > most {
			t.Errorf("at item %d %d were read, over %d", i, read.Load(), most)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// All images of a batch are being read before any of the next batch, so that a
// batch runs while the next one is read.
func TestExtractFillsInOrder(t *testing.T) {
	e := extractor(t)
	e.Readers = 2
	listed, n := make(chan struct{}), (e.Parallel+1)*e.Batch
	var reading atomic.Int64
	inOrder := func(yield func(inference.Item) bool) {
		for i := range n {
			item := inference.Item{Key: fmt.Sprint("item ", i), Read: func(context.Context) ([]byte, error) {
				if before := int(reading.Add(1)) - 1; before < i-(e.Readers-1) {
					t.Errorf("item %d is read after %d others", i, before)
				}
				<-listed // so that every batch waits for readers
				return plain(t, colour(i)), nil
			}}
			if !yield(item) {
				return
			}
		}
		close(listed)
	}
	if err := e.Run(t.Context(), inOrder, func(int, inference.Item, []float32, error) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestExtractStops(t *testing.T) {
	before := runtime.NumGoroutine()
	boom := errors.New("boom")
	ignore := func(int, inference.Item, []float32, error) error { return nil }
	for name, c := range map[string]struct {
		run  func(*inference.Stream) error
		want error
	}{
		"emit": {func(e *inference.Stream) error {
			return e.Run(t.Context(), items(t, 1000, nil), func(i int, _ inference.Item, _ []float32, _ error) error {
				if i > 21 {
					t.Errorf("item %d after the error", i)
				}
				if i == 21 {
					return boom
				}
				return nil
			})
		}, boom},
		"read": {func(e *inference.Stream) error {
			one := func(yield func(inference.Item) bool) {
				for item := range items(t, 1000, nil) {
					if item.Key == "item 30" {
						item.Read = func(context.Context) ([]byte, error) { return nil, boom }
					}
					if !yield(item) {
						return
					}
				}
			}
			return e.Run(t.Context(), one, ignore)
		}, boom},
		"a read that waits": {func(e *inference.Stream) error {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			one := func(yield func(inference.Item) bool) {
				yield(inference.Item{Read: func(ctx context.Context) ([]byte, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}})
			}
			return e.Run(ctx, one, ignore)
		}, context.DeadlineExceeded},
		"context": {func(e *inference.Stream) error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			return e.Run(ctx, items(t, 1000, nil), func(i int, _ inference.Item, _ []float32, _ error) error {
				if i == 50 {
					cancel()
				}
				return nil
			})
		}, context.Canceled},
		"closed trunk": {func(e *inference.Stream) error {
			if err := e.Trunk.Close(); err != nil {
				return err
			}
			return e.Run(t.Context(), items(t, 10, nil), ignore)
		}, tensorflow.ErrClosed},
		"closed pipeline": {func(e *inference.Stream) error {
			p, err := pipeline.Compile(preprocessing.ForMode("none", side, side, 3))
			if err != nil {
				return err
			}
			e.Pipeline = p
			if err := p.Close(); err != nil {
				return err
			}
			return e.Run(t.Context(), items(t, 10, nil), ignore)
		}, tensorflow.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.run(extractor(t)); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	settled(t, before)
}

// An optional item that cannot be read is set aside; any other ends the run.
func TestStreamOptional(t *testing.T) {
	s := extractor(t)
	boom := errors.New("boom")
	for _, optional := range []bool{true, false} {
		some := func(yield func(inference.Item) bool) {
			for i := range 3 {
				read := func(context.Context) ([]byte, error) { return plain(t, colour(i)), nil }
				if i == 1 {
					read = func(context.Context) ([]byte, error) { return nil, boom }
				}
				if !yield(inference.Item{Read: read, Optional: optional}) {
					return
				}
			}
		}
		n := 0
		err := s.Run(t.Context(), some, func(i int, _ inference.Item, row []float32, err error) error {
			if n++; (i == 1) != errors.Is(err, boom) || (i == 1) != (row == nil) {
				t.Errorf("item %d: %v, %v", i, row, err)
			}
			return nil
		})
		if optional && (err != nil || n != 3) || !optional && !errors.Is(err, boom) {
			t.Errorf("optional %t: %d came, %v", optional, n, err)
		}
	}
}

func TestExtractVaries(t *testing.T) {
	e := extractor(t)
	varied := func(yield func(inference.Item) bool) {
		for item := range items(t, 12, nil) {
			item.Vary = func(image []float32) {
				if len(image) != e.Pipeline.Elements() {
					t.Errorf("an image of %d values to vary", len(image))
				}
				for i := range image {
					image[i] += 1000
				}
			}
			if !yield(item) {
				return
			}
		}
	}
	err := e.Run(t.Context(), varied, func(i int, _ inference.Item, b []float32, err error) error {
		if faulty(i) {
			reason(t, err)
			return nil
		}
		if c := colour(i); err != nil || b[0] != 1000+float32(c.R) {
			t.Errorf("item %d: %v, %v", i, b, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
