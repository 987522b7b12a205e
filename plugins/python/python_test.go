package python_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tkit/plugins"
	"tkit/plugins/host"
	"tkit/plugins/preprocesstest"
	"tkit/plugins/python/pythontest"
)

// config is the host's configuration for testdata/faulty.
var config = host.Config{Processes: 1, Audit: -1, Timeout: 2 * time.Second, Grace: time.Second}

func tryOpen(t *testing.T, c host.Config, environment ...string) (*host.Plugin, error) {
	t.Helper()
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	return pythontest.Build(t, filepath.Join("testdata", "faulty")).Open(t.Context(), c, environment...)
}

func open(t *testing.T, c host.Config, environment ...string) *host.Plugin {
	t.Helper()
	p, err := tryOpen(t, c, environment...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func images(kind plugins.Kind, n int, shape [3]int) plugins.Batch {
	b := plugins.NewBatch(kind, n, shape)
	for i := range b.Uint8 {
		b.Uint8[i] = uint8(i)
	}
	for i := range b.Float32 {
		b.Float32[i] = float32(i)
	}
	for i := range b.Encoded {
		b.Encoded[i] = bytes.Repeat([]byte{'a' + byte(i)}, i)
	}
	return b
}

func do(what string) json.RawMessage { return json.RawMessage(fmt.Sprintf(`{"do": %q}`, what)) }

// same checks that a plugin returns its input.
func same(t *testing.T, p *host.Plugin, in plugins.Batch) {
	t.Helper()
	if out, err := p.Process(t.Context(), nil, in); err != nil || !out.Equal(in) {
		t.Errorf("%d images of %v: answered %d of %v, %v", in.Count, in.Shape, out.Count, out.Shape, err)
	}
}

func TestEveryKind(t *testing.T) {
	for _, c := range []host.Config{config, func() host.Config { c := config; c.NoSharedMemory = true; return c }()} {
		for _, kind := range []plugins.Kind{plugins.Encoded, plugins.Uint8, plugins.Float32} {
			t.Run(fmt.Sprintf("%s, shared memory %t", kind, !c.NoSharedMemory), func(t *testing.T) {
				p := open(t, c, "KIND="+strings.ToUpper(kind.String()))
				for n := range 4 { // each larger than the last, so that the memory grows
					shape := [3]int{50 * n * n, 40, 3}
					if kind == plugins.Encoded {
						shape = [3]int{}
					} else if n == 0 {
						continue
					}
					same(t, p, images(kind, 7*n, shape))
				}
			})
		}
	}
}

// New arrays, parts of the input, and non-contiguous arrays.
func TestAnswers(t *testing.T) {
	p := open(t, config)
	in := images(plugins.Float32, 1, [3]int{2, 1, 1})
	for what, want := range map[string][]float32{"add": {1, 2}, "last": {0, 1}, "reverse": {1, 0}} {
		if out, err := p.Process(t.Context(), do(what), in); err != nil || !slices.Equal(out.Float32, want) {
			t.Errorf("%s: answered %v, %v, want %v", what, out.Float32, err, want)
		}
	}
}

func TestConcurrentBatches(t *testing.T) {
	c := config
	c.Processes = 2
	p := open(t, c)
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			for range 20 {
				same(t, p, images(plugins.Float32, n+1, [3]int{9, 7, 3}))
			}
		})
	}
	all.Wait()
}

// Neither the environment nor packages installed elsewhere affect a plugin.
func TestIsolation(t *testing.T) {
	p := open(t, config, "PYTHONPATH=/from-the-environment")
	_, err := p.Process(t.Context(), do("show"), images(plugins.Float32, 1, [3]int{1, 1, 1}))
	if err == nil || !strings.Contains(err.Error(), "ValueError: 1 1 ['/proc/self/fd/3', ") || strings.Contains(err.Error(), "from-the-environment") {
		t.Errorf("error %v, want no other paths in it than those of the archive, the library and the packages", err)
	}
}

// TestConformance runs the suite for preprocessors.
func TestConformance(t *testing.T) {
	preprocesstest.RunProcess(t, func(c host.Config) (*host.Plugin, error) { return tryOpen(t, c) }, preprocesstest.Options{})
}
