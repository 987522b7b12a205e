package tensorflow_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tkit/internal/tensorflow"
)

func step(t testing.TB, s *tensorflow.Session, feed, fetch string) *tensorflow.Step {
	t.Helper()
	st, err := s.Step([]string{feed}, []string{fetch}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func row(t testing.TB, v ...float32) *tensorflow.Tensor {
	t.Helper()
	x, err := tensorflow.FromFloat32([]int64{int64(len(v) / 3), 3}, v)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

func scalar(t testing.TB, v int64) *tensorflow.Tensor {
	t.Helper()
	x, err := tensorflow.FromInt64(nil, []int64{v})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

func TestRun(t *testing.T) {
	for name, c := range map[string]tensorflow.Config{
		"defaults":      {},
		"in caller":     {RunInCaller: true},
		"threads":       {IntraOpThreads: 1, InterOpThreads: 1},
		"bf16":          {BFloat16Rewrite: true},
		"not optimised": {DisableOptimizer: true},
		"all choices":   {RunInCaller: true, IntraOpThreads: 1, DisableOptimizer: true},
	} {
		t.Run(name, func(t *testing.T) {
			st := step(t, open(t, affine, c), "x", "y:0")
			cancellable, cancel := context.WithCancel(t.Context())
			defer cancel()
			timed, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			for _, ctx := range []context.Context{context.Background(), cancellable, timed} {
				out, err := st.Run(ctx, row(t, 1, 2, 3, -1, 0, .5))
				if err != nil {
					t.Fatal(err)
				}
				y := out[0]
				if !slices.Equal(y.Shape(), []int64{2, 3}) || !slices.Equal(y.Float32(), []float32{3, 5, 7, -1, 1, 2}) {
					t.Errorf("y = %v %v", y, y.Float32())
				}
				y.Close()
			}
		})
	}
}

func TestRunRefusesWrongInputs(t *testing.T) {
	s := open(t, affine, tensorflow.Config{})
	st := step(t, s, "x", "y")
	wrongType, _ := tensorflow.FromInt64([]int64{1, 3}, []int64{1, 2, 3})
	defer wrongType.Close()
	wrongShape, _ := tensorflow.NewTensor(tensorflow.Float32, 2, 4)
	defer wrongShape.Close()
	wrongRank, _ := tensorflow.NewTensor(tensorflow.Float32, 3)
	defer wrongRank.Close()
	for _, c := range []struct {
		in   []*tensorflow.Tensor
		want string
	}{
		{nil, "feeds 1 tensors, got 0"},
		{[]*tensorflow.Tensor{wrongType, wrongType}, "got 2"},
		{[]*tensorflow.Tensor{nil}, `"x" is nil`},
		{[]*tensorflow.Tensor{wrongType}, `"x" takes float32, got int64 [1 3]`},
		{[]*tensorflow.Tensor{wrongShape}, `"x" takes float32 [-1 3], got float32 [2 4]`},
		{[]*tensorflow.Tensor{wrongRank}, `got float32 [3]`},
	} {
		_, err := st.Run(t.Context(), c.in...)
		if code(err) != tensorflow.InvalidArgument || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Run(%v): %v, want %q", c.in, err, c.want)
		}
	}
	gone := row(t, 1, 2, 3)
	gone.Close()
	if _, err := st.Run(t.Context(), gone); !errors.Is(err, tensorflow.ErrClosed) {
		t.Errorf("closed input: %v", err)
	}
}

func TestStepRefusesWrongNames(t *testing.T) {
	s := open(t, affine, tensorflow.Config{})
	for _, c := range []struct {
		feeds, fetches, targets []string
		want                    tensorflow.Code
	}{
		{nil, nil, nil, tensorflow.InvalidArgument},
		{[]string{"x", "x:0"}, []string{"y"}, nil, tensorflow.InvalidArgument},
		{[]string{"absent"}, []string{"y"}, nil, tensorflow.NotFound},
		{nil, []string{"y:7"}, nil, tensorflow.OutOfRange},
		{nil, nil, []string{"absent"}, tensorflow.NotFound},
	} {
		if _, err := s.Step(c.feeds, c.fetches, c.targets); code(err) != c.want {
			t.Errorf("Step(%v): %v, want %v", c, err, c.want)
		}
	}
	// TensorFlow detects a placeholder that is needed but not fed.
	st, err := s.Step(nil, []string{"y"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Run(t.Context()); code(err) != tensorflow.InvalidArgument {
		t.Errorf("nothing fed: %v", err)
	}
}

func TestRunConcurrently(t *testing.T) {
	for _, c := range []tensorflow.Config{{}, {RunInCaller: true}} {
		st := step(t, open(t, affine, c), "x", "y")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		shared := row(t, 1, 1, 1)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 200 {
					v := float32(g*1000 + i)
					x, err := tensorflow.FromFloat32([]int64{1, 3}, []float32{v, v, v})
					if err != nil {
						t.Error(err)
						return
					}
					for in, want := range map[*tensorflow.Tensor]float32{x: 2*v + 1, shared: 3} {
						out, err := st.Run(ctx, in)
						if err != nil {
							t.Error(err)
							return
						}
						if got := out[0].Float32(); !slices.Equal(got, []float32{want, want, want}) {
							t.Errorf("%v, want %v", got, want)
						}
						out[0].Close()
					}
					x.Close()
				}
			})
		}
		wg.Wait()
	}
}

func TestDeadlineEndsALongRun(t *testing.T) {
	s := open(t, counting, tensorflow.Config{})
	st := step(t, s, "limit", "count")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := st.Run(ctx, scalar(t, math.MaxInt64))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("endless run: %v", err)
	}
	// The session still works.
	out, err := st.Run(t.Context(), scalar(t, 1000))
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	if got := out[0].Int64(); got[0] != 1000 {
		t.Errorf("counted to %v", got)
	}
}

func TestCancelReturnsAtOnceAndCloseEndsTheRun(t *testing.T) {
	for name, c := range map[string]tensorflow.Config{"pool": {}, "caller": {RunInCaller: true}} {
		t.Run(name, func(t *testing.T) {
			s := open(t, counting, c)
			st := step(t, s, "limit", "count")
			ctx, cancel := context.WithCancel(t.Context())
			limit, err := tensorflow.FromInt64(nil, []int64{math.MaxInt64})
			if err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(20*time.Millisecond, cancel)
			if _, err := st.Run(ctx, limit); !errors.Is(err, context.Canceled) {
				t.Fatalf("cancelled run: %v", err)
			}
			limit.Close() // the abandoned run still reads it
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := st.Run(t.Context(), scalar(t, 1)); !errors.Is(err, tensorflow.ErrClosed) {
				t.Errorf("run on a closed session: %v", err)
			}
			if _, err := s.Step(nil, []string{"count"}, nil); !errors.Is(err, tensorflow.ErrClosed) {
				t.Errorf("step of a closed session: %v", err)
			}
		})
	}
}

func TestCloseWaitsForRuns(t *testing.T) {
	s := open(t, counting, tensorflow.Config{})
	st := step(t, s, "limit", "count")
	const n = 4
	results := make(chan error, n)
	for range n {
		go func() {
			for {
				out, err := st.Run(context.Background(), scalar(t, 20_000))
				if err != nil {
					results <- err
					return
				}
				if got := out[0].Int64()[0]; got != 20_000 {
					t.Errorf("counted to %d", got)
				}
				out[0].Close()
				results <- nil
			}
		}()
	}
	for range n {
		if err := <-results; err != nil {
			t.Fatal(err)
		}
	}
	var closers sync.WaitGroup
	for range 2 {
		closers.Go(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	// Runs that had begun succeed; later ones are refused.
	for refused := 0; refused < n; {
		if err := <-results; err != nil {
			if !errors.Is(err, tensorflow.ErrClosed) {
				t.Errorf("run during Close: %v", err)
			}
			refused++
		}
	}
	closers.Wait()
}

func TestContextOverBeforeTheRun(t *testing.T) {
	st := step(t, open(t, affine, tensorflow.Config{}), "x", "y")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := st.Run(ctx, row(t, 1, 2, 3)); !errors.Is(err, context.Canceled) {
		t.Errorf("run under a cancelled context: %v", err)
	}
}

func TestDevices(t *testing.T) {
	d, err := tensorflow.Devices(tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if len(d) == 0 || d[0].Type != "CPU" || !strings.Contains(d[0].Name, "CPU:0") {
		t.Errorf("devices %+v", d)
	}
	d, err = tensorflow.Devices(tensorflow.Config{Device: tensorflow.CPU})
	if err != nil || len(d) != 1 || d[0].Type != "CPU" {
		t.Errorf("on the CPU alone: %+v, %v", d, err)
	}
	for _, c := range []tensorflow.Config{{IntraOpThreads: -1}, {Device: "tpu"}} {
		if _, err := tensorflow.Devices(c); code(err) != tensorflow.InvalidArgument {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if v := tensorflow.Version(); !strings.HasPrefix(v, "2.18.") {
		t.Errorf("libtensorflow %s: the module's graph protocol is 2.18's", v)
	}
}
