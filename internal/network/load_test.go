package network

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tkit/internal/tensorflow"
)

func load(t *testing.T, n *Network) *Loaded {
	t.Helper()
	return loadAs(t, n, tensorflow.Config{IntraOpThreads: 1})
}

func loadAs(t *testing.T, n *Network, c tensorflow.Config) *Loaded {
	t.Helper()
	l, err := n.Load(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestLoadedRunsConcurrently(t *testing.T) {
	n := residual()
	x := example(t, n)
	want := run(t, n, x)
	l := load(t, n)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				out, err := l.Run(t.Context(), x)
				if err != nil {
					t.Error(err)
					return
				}
				for i, v := range out {
					if !slices.Equal(v.Float32(), want[i]) {
						t.Errorf("output %d differs", i)
					}
					v.Close()
				}
			}
		})
	}
	group.Wait()
}

// Close waits for active runs; later runs are refused.
func TestLoadedClosesUnderRuns(t *testing.T) {
	n := residual()
	x := example(t, n)
	l := load(t, n)
	var group sync.WaitGroup
	started := make(chan struct{})
	var once sync.Once
	for range 4 {
		group.Go(func() {
			for {
				out, err := l.Run(t.Context(), x)
				if err != nil {
					if !errors.Is(err, tensorflow.ErrClosed) {
						t.Error(err)
					}
					return
				}
				for _, v := range out {
					v.Close()
				}
				once.Do(func() { close(started) })
			}
		})
	}
	<-started
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	group.Wait()
}

func TestLoadedRefuses(t *testing.T) {
	n := residual()
	x := example(t, n)
	l := load(t, n)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Run(cancelled, x); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	if _, err := l.Run(late, x); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a deadline in the past: %v", err)
	}
	other, err := tensorflow.FromFloat32([]int64{1, 4, 4, 3}, make([]float32, 48))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := l.Run(t.Context(), other); err == nil || !strings.Contains(err.Error(), "images") {
		t.Errorf("another shape: %v", err)
	}
	if _, err := l.Run(t.Context()); err == nil {
		t.Error("ran without its input")
	}
}

// Every load has its own weights, even if both are from one mapped file whose
// pages are released in between.
func TestLoadTwice(t *testing.T) {
	b := newBuilder()
	n := b.network(b.dense("large", b.input(-1, 512), 512, 512)) // 1 MiB: pages to release
	path := filepath.Join(t.TempDir(), "network")
	if err := os.WriteFile(path, encode(t, n), 0o600); err != nil {
		t.Fatal(err)
	}
	opened, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	x := example(t, n)
	want := run(t, n, x)[0]
	first, second := load(t, opened), load(t, opened)
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*Loaded{first, second} {
		out, err := l.Run(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(out[0].Float32(), want) {
			t.Error("answers differ")
		}
		out[0].Close()
	}
}

func TestLoadFailures(t *testing.T) {
	b := newBuilder()
	mismatch := b.network(b.op("MatMul", "y", nil, b.input(-1, 3), b.weight("k", 0, 4, 2)))
	b = newBuilder()
	beyond := b.network(b.op("Relu", "y", nil, b.input(-1, 3)))
	beyond.Outputs[0].Tensor = "y:3"
	for name, n := range map[string]*Network{"y": mismatch, "y:3": beyond} {
		var refused *tensorflow.Error
		if _, err := n.Load(tensorflow.Config{}); !errors.As(err, &refused) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := residual().Load(tensorflow.Config{IntraOpThreads: -1}); err == nil {
		t.Error("a negative number of threads was accepted")
	}
}

func TestLoadWithoutWeights(t *testing.T) {
	b := newBuilder()
	n := b.network(b.op("Relu", "y", nil, b.input(-1, 3)))
	x := example(t, n)
	if got := run(t, n, x)[0]; len(got) != 6 {
		t.Errorf("got %v", got)
	}
}
