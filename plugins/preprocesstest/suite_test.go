package preprocesstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/jpeg"
	"image/png"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/needs"
	"tkit/internal/testprogram"
	"tkit/plugins"
	"tkit/plugins/host"
)

// within is a preprocessor made of functions.
type within struct {
	description plugins.Description
	process     func(context.Context, json.RawMessage, plugins.Batch) (plugins.Batch, error)
}

func (w *within) Describe() plugins.Description { return w.description }

func (w *within) Process(ctx context.Context, c json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
	return w.process(ctx, c, in)
}

// inverter is a correct preprocessor.
func inverter() *within {
	pixels := plugins.Form{Kind: plugins.Uint8}
	return &within{plugins.Description{Name: "invert", Version: "1.0.0", Takes: pixels, Gives: pixels, Deterministic: true},
		func(_ context.Context, _ json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
			out := plugins.NewBatch(in.Kind, in.Count, in.Shape)
			for i, v := range in.Uint8 {
				out.Uint8[i] = 255 - v
			}
			return out, nil
		}}
}

func build(t *testing.T, of string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "plugin")
	if err := testprogram.Build(t.Context(), of, program); err != nil {
		t.Fatal(err)
	}
	return program
}

func TestRun(t *testing.T) {
	Run(t, inverter(), Options{Program: build(t, "./testdata/invert")})
}

// decoder takes encoded images and returns their first pixels.
func decoder() *within {
	return &within{plugins.Description{Name: "decode", Version: "1.0.0", Takes: plugins.Form{Kind: plugins.Encoded},
		Gives: plugins.Form{Kind: plugins.Float32, Shape: [3]int{1, 1, 1}}, Deterministic: true},
		func(_ context.Context, _ json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
			out := plugins.NewBatch(plugins.Float32, in.Count, [3]int{1, 1, 1})
			for i, file := range in.Encoded {
				m, err := png.Decode(bytes.NewReader(file))
				if err != nil {
					m, err = jpeg.Decode(bytes.NewReader(file))
				}
				if err != nil {
					return out, &plugins.ImageError{Image: i, Reason: err.Error()}
				}
				r, _, _, _ := m.At(1, 1).RGBA()
				out.Float32[i] = float32(r)
			}
			return out, nil
		}}
}

func results(t *testing.T, s Subject, o Options) map[string]Result {
	t.Helper()
	all := map[string]Result{}
	passed, err := Check(t.Context(), s, o, func(r Result) { all[r.Check] = r })
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Err != nil && passed {
			t.Errorf("%s failed, but all is said to have passed", r.Check)
		}
	}
	if len(all) != len(checks) {
		t.Errorf("%d results of %d checks", len(all), len(checks))
	}
	return all
}

func TestEncoded(t *testing.T) {
	for name, r := range results(t, Subject{Preprocessor: decoder()}, Options{}) {
		if r.Err != nil {
			t.Errorf("%s: %v", name, r.Err)
		}
	}
}

// Each fault is found by the check for it.
func TestFaultsAreFound(t *testing.T) {
	needs.Minutes(t)
	calls := 0
	var kept [][]byte
	good := inverter().process
	for _, c := range []struct {
		name, check, words string
		spoil              func(*within)
		options            Options
	}{
		{name: "name", check: "description", words: "lower-case", spoil: func(w *within) { w.description.Name = "In vert" }},
		{name: "schema", check: "description", words: "schema", spoil: func(w *within) { w.description.ConfigSchema = json.RawMessage(`{"type": 5}`) }},
		{name: "loose schema", check: "configuration", words: "additionalProperties", spoil: func(w *within) { w.description.ConfigSchema = json.RawMessage(`{"type": "object"}`) }},
		{name: "needs a configuration", check: "configuration", words: "provide a configuration", spoil: func(w *within) {
			w.description.ConfigSchema = json.RawMessage(`{"type": "object", "required": ["level"]}`)
		}},
		{name: "another shape", check: "shapes", words: "returned 1×1×3", spoil: answers(func(b *plugins.Batch) { *b = plugins.NewBatch(b.Kind, b.Count, [3]int{1, 1, 3}) })},
		{name: "another number", check: "shapes", words: "returned 2 images for 1", spoil: answers(func(b *plugins.Batch) { *b = plugins.NewBatch(b.Kind, b.Count+1, b.Shape) })},
		{name: "NaN", check: "shapes", words: "not finite", spoil: func(w *within) {
			w.description.Gives.Kind = plugins.Float32
			answers(func(b *plugins.Batch) {
				*b = plugins.NewBatch(plugins.Float32, b.Count, b.Shape)
				b.Float32[1] = float32(math.NaN())
			})(w)
		}},
		{name: "panic", check: "shapes", words: "it panics: oh", spoil: func(w *within) {
			w.process = func(context.Context, json.RawMessage, plugins.Batch) (plugins.Batch, error) { panic("oh") }
		}},
		{name: "writes to the input", check: "input unchanged", words: "modifies its input", spoil: func(w *within) {
			w.process = func(_ context.Context, _ json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
				for i, v := range in.Uint8 {
					in.Uint8[i] = 255 - v
				}
				return in, nil
			}
		}},
		{name: "neighbours", check: "batch equals singles", words: "alone differs", spoil: answers(func(b *plugins.Batch) { b.Uint8[0] = uint8(b.Count) })},
		{name: "counts calls", check: "determinism", words: "returns different results", spoil: answers(func(b *plugins.Batch) { calls++; b.Uint8[0] = uint8(calls) })},
		{name: "errors", check: "bad input", words: "want an image error", spoil: func(w *within) {
			w.process = func(ctx context.Context, c json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
				if in.Shape[1] > 4000 {
					return in, errors.New("too wide")
				}
				return good(ctx, c, in)
			}
		}},
		{name: "goes on", check: "cancellation", words: "check the context", spoil: func(w *within) {
			w.process = func(ctx context.Context, c json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
				if in.Count == 32 {
					<-t.Context().Done()
				}
				return good(ctx, c, in)
			}
		}},
		{name: "keeps", check: "leaks", words: "leaks memory", spoil: answers(func(b *plugins.Batch) { kept = append(kept, make([]byte, 1<<20)) })},
		{name: "goroutines", check: "leaks", words: "more goroutines", spoil: answers(func(*plugins.Batch) { go func() { <-t.Context().Done() }() })},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := inverter()
			c.spoil(p)
			r := results(t, Subject{Preprocessor: p}, c.options)[c.check]
			if r.Err == nil || !strings.Contains(r.Err.Error(), c.words) || r.Fault != r.Err.Error() {
				t.Errorf("%s says %v, want %q", c.check, r.Err, c.words)
			}
			kept = nil
		})
	}
}

// answers returns the inverter with a changed result.
func answers(change func(*plugins.Batch)) func(*within) {
	return func(w *within) {
		good := w.process
		w.process = func(ctx context.Context, c json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
			out, err := good(ctx, c, in)
			change(&out)
			return out, err
		}
	}
}

// Faults that only a process can have are found.
func TestFaultsOfProcessesAreFound(t *testing.T) {
	needs.Minutes(t)
	program := build(t, "tkit/plugins/host/testdata/faulty")
	for do, want := range map[string]struct{ check, words string }{
		"print":  {"standard output", "lines to standard output"},
		"leak":   {"leaks", "leaks memory"},
		"crash":  {"shapes", "a bug of the author's"},
		"lie":    {"determinism", "returns different results for equal batches"},
		"lonely": {"shapes", "unknown action lonely"},
	} {
		t.Run(do, func(t *testing.T) {
			s, err := Start(t.Context(), func(c host.Config) (*host.Plugin, error) { return open(t.Context(), program, c) }, slog.DiscardHandler)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Plugin.Close()
			config, err := json.Marshal(map[string]any{"do": do, "bytes": 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			r := results(t, s, Options{Config: config, Rounds: 100})[want.check]
			if r.Err == nil || !strings.Contains(r.Err.Error(), want.words) {
				t.Errorf("%s says %v, want %q", want.check, r.Err, want.words)
			}
		})
	}
}

func TestCheckEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Check(ctx, Subject{Preprocessor: inverter()}, Options{}, func(Result) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}
