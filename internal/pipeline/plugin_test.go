package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
)

// orange encodes an image of uniform colour.
func orange(t testing.TB) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 13, 9))
	draw.Draw(m, m.Bounds(), image.NewUniform(color.NRGBA{R: 200, G: 100, A: 255}), image.Point{}, draw.Src)
	return asPNG(t, m)
}

// process is a preprocessor within the test's own process.
type process func(ctx context.Context, in preprocessing.Batch) (preprocessing.Batch, error)

func (p process) Process(ctx context.Context, in preprocessing.Batch) (preprocessing.Batch, error) {
	return p(ctx, in)
}

// installed are plugins by name.
type installed map[string]process

func (i installed) Open(_ context.Context, step preprocessing.Plugin, _ preprocessing.Form) (pipeline.Preprocessor, error) {
	p, ok := i[step.Name]
	if !ok {
		return nil, fmt.Errorf("plugin %s is not installed", step)
	}
	return p, nil
}

func step(name string, gives preprocessing.Gives) preprocessing.Step {
	return preprocessing.Step{Plugin: &preprocessing.Plugin{Name: name, Version: "1.0.0", Gives: gives}}
}

func compileWith(t testing.TB, plugins pipeline.Plugins, steps ...preprocessing.Step) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.CompileWith(t.Context(), preprocessing.Preprocessing{Steps: steps}, plugins)
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

func into(t testing.TB, p *pipeline.Pipeline, encoded []byte) []float32 {
	t.Helper()
	dst := make([]float32, p.Elements())
	if err := p.Into(t.Context(), encoded, dst); err != nil {
		t.Fatal(err)
	}
	return dst
}

func identity(_ context.Context, in preprocessing.Batch) (preprocessing.Batch, error) { return in, nil }

// each is a preprocessor of pixels, value by value.
func each(change func(v float32) float32) process {
	return func(_ context.Context, in preprocessing.Batch) (preprocessing.Batch, error) {
		out := in
		out.Uint8, out.Float32 = slices.Clone(in.Uint8), slices.Clone(in.Float32)
		for i, v := range out.Uint8 {
			out.Uint8[i] = uint8(change(float32(v)))
		}
		for i, v := range out.Float32 {
			out.Float32[i] = change(v)
		}
		return out, nil
	}
}

var (
	decodeStep = preprocessing.Step{Decode: &preprocessing.Decode{Channels: 3}}
	resizeStep = preprocessing.Step{Resize: &preprocessing.Resize{Height: 6, Width: 7, Kernel: preprocessing.Bilinear}}
	normal     = preprocessing.Step{Normalise: &preprocessing.Normalise{Mode: preprocessing.Torch}}
)

// A plugin that changes nothing has no effect, at any position, for any image
// format.
func TestPluginInEveryPlace(t *testing.T) {
	plugins := installed{"same": identity}
	same := step("same", preprocessing.Gives{})
	reference := compile(t, preprocessing.Preprocessing{Steps: []preprocessing.Step{decodeStep, resizeStep, normal}})
	for place := range 5 {
		steps := slices.Insert([]preprocessing.Step{decodeStep, resizeStep, normal}, min(place, 3), same)
		if place == 4 {
			steps = []preprocessing.Step{same, same, decodeStep, same, same, resizeStep, same, normal, same, same}
		}
		p := compileWith(t, plugins, steps...)
		for format, encoded := range encodings(t, 60, 50) {
			if !slices.Equal(into(t, p, encoded), into(t, reference, encoded)) {
				t.Errorf("%s with %s differs", format, p.Description())
			}
		}
	}
}

// A plugin gets the result of the steps before it, and the steps after it get
// the plugin's result.
func TestPluginSees(t *testing.T) {
	var seen atomic.Pointer[preprocessing.Batch]
	look := process(func(_ context.Context, in preprocessing.Batch) (preprocessing.Batch, error) {
		in.Uint8, in.Float32 = slices.Clone(in.Uint8), slices.Clone(in.Float32)
		seen.Store(&in)
		return in, nil
	})
	plugins := installed{
		"look":   look,
		"invert": each(func(v float32) float32 { return 255 - v }),
		"own": func(_ context.Context, in preprocessing.Batch) (preprocessing.Batch, error) {
			// A custom format: a grey level in a byte.
			out := preprocessing.Batch{Kind: preprocessing.Float32, Count: in.Count, Shape: [3]int{2, 2, 1}}
			for _, file := range in.Encoded {
				out.Float32 = append(out.Float32, slices.Repeat([]float32{float32(file[0])}, 4)...)
			}
			return out, nil
		},
		"quarter": func(_ context.Context, in preprocessing.Batch) (preprocessing.Batch, error) {
			return preprocessing.Batch{Kind: preprocessing.Uint8, Count: 1, Shape: [3]int{1, 1, 3}, Uint8: in.Uint8[:3]}, nil
		},
	}
	none := preprocessing.Step{Normalise: &preprocessing.Normalise{Mode: preprocessing.None}}
	nearest := preprocessing.Step{Resize: &preprocessing.Resize{Height: 6, Width: 7, Kernel: preprocessing.Nearest}}
	encoded := orange(t)

	for _, c := range []struct {
		name  string
		steps []preprocessing.Step
		kind  preprocessing.Kind
		shape [3]int
	}{
		{"bytes", []preprocessing.Step{step("look", preprocessing.Gives{}), decodeStep, resizeStep, none}, preprocessing.Encoded, [3]int{}},
		{"decoded", []preprocessing.Step{decodeStep, step("look", preprocessing.Gives{}), resizeStep, none}, preprocessing.Uint8, [3]int{9, 13, 3}},
		{"nearest", []preprocessing.Step{decodeStep, nearest, step("look", preprocessing.Gives{}), none}, preprocessing.Uint8, [3]int{6, 7, 3}},
		{"resized", []preprocessing.Step{decodeStep, resizeStep, step("look", preprocessing.Gives{}), none}, preprocessing.Float32, [3]int{6, 7, 3}},
		{"ten", []preprocessing.Step{decodeStep, resizeStep, {TenCrop: &preprocessing.TenCrop{Height: 5, Width: 5}}, none, step("look", preprocessing.Gives{})},
			preprocessing.Float32, [3]int{5, 5, 3}},
	} {
		values := into(t, compileWith(t, plugins, c.steps...), encoded)
		got := seen.Load()
		if got.Kind != c.kind || got.Shape != c.shape || got.Validate() != nil {
			t.Errorf("%s: seen %s %v", c.name, got.Kind, got.Shape)
		}
		if values[0] != 200 || values[1] != 100 || values[2] != 0 {
			t.Errorf("%s: %v", c.name, values[:3])
		}
	}

	inverted := into(t, compileWith(t, plugins, decodeStep, step("invert", preprocessing.Gives{}), resizeStep, none, step("invert", preprocessing.Gives{})), encoded)
	if inverted[0] != 200 || inverted[1] != 100 {
		t.Errorf("inverted twice: %v", inverted[:3])
	}
	own := compileWith(t, plugins, step("own", preprocessing.Gives{Kind: preprocessing.Float32, Channels: 1}), resizeStep, none)
	if got := into(t, own, []byte{42}); got[0] != 42 || len(got) != 6*7 {
		t.Errorf("a format of its own: %v", got)
	}
	varies := preprocessing.Gives{Height: preprocessing.Varies, Width: preprocessing.Varies}
	if got := into(t, compileWith(t, plugins, decodeStep, nearest, step("quarter", varies), resizeStep, none), encoded); got[0] != 200 {
		t.Errorf("another size: %v", got)
	}
}

// An unusable result is reported with the plugin's name, and is not an error of
// the pipeline.
func TestPluginFaults(t *testing.T) {
	answer := func(change func(*preprocessing.Batch)) process {
		return func(_ context.Context, in preprocessing.Batch) (preprocessing.Batch, error) {
			in.Float32 = slices.Clone(in.Float32)
			change(&in)
			return in, nil
		}
	}
	broken := errors.New("it crashed twice")
	plugins := installed{
		"nan":      answer(func(b *preprocessing.Batch) { b.Float32[3] = float32(math.NaN()) }),
		"infinite": answer(func(b *preprocessing.Batch) { b.Float32[3] = float32(math.Inf(-1)) }),
		"short":    answer(func(b *preprocessing.Batch) { b.Float32 = b.Float32[1:] }),
		"none":     answer(func(b *preprocessing.Batch) { *b = preprocessing.Batch{} }),
		"two":      answer(func(b *preprocessing.Batch) { b.Count, b.Float32 = 2, append(b.Float32, b.Float32...) }),
		"turned":   answer(func(b *preprocessing.Batch) { b.Shape[0], b.Shape[1] = b.Shape[1], b.Shape[0] }),
		"bytes": answer(func(b *preprocessing.Batch) {
			*b = preprocessing.Batch{Kind: preprocessing.Encoded, Count: 1, Encoded: [][]byte{nil}}
		}),
		"refuses": func(context.Context, preprocessing.Batch) (preprocessing.Batch, error) {
			return preprocessing.Batch{}, &pipeline.ImageError{Reason: pipeline.Refused, Err: errors.New("no scan")}
		},
		"crashes": func(context.Context, preprocessing.Batch) (preprocessing.Batch, error) {
			return preprocessing.Batch{}, broken
		},
	}
	for name, want := range map[string]struct {
		reason pipeline.Reason // "" for an error that is not an image's
		text   string
	}{
		"nan":      {pipeline.PluginFault, "NaN or infinite"},
		"infinite": {pipeline.PluginFault, "NaN or infinite"},
		"short":    {pipeline.PluginFault, "values, want"},
		"none":     {pipeline.PluginFault, "kind 0"},
		"two":      {pipeline.PluginFault, "returned 2 images for 1"},
		"turned":   {pipeline.PluginFault, "returned images of 7×6×3, but its step requires 6×7×3"},
		"bytes":    {pipeline.PluginFault, "returned encoded images, but its step requires float32"},
		"refuses":  {pipeline.Refused, "no scan"},
		"crashes":  {"", "it crashed twice"},
	} {
		p := compileWith(t, plugins, decodeStep, resizeStep, step(name, preprocessing.Gives{}), normal)
		dst := slices.Repeat([]float32{7}, p.Elements())
		err := p.Into(t.Context(), orange(t), dst)
		var bad *pipeline.ImageError
		switch {
		case err == nil || !strings.Contains(err.Error(), want.text) || !strings.Contains(err.Error(), "plugin "+name+" 1.0.0"):
			t.Errorf("%s: %v", name, err)
		case errors.As(err, &bad) != (want.reason != "") || bad != nil && bad.Reason != want.reason:
			t.Errorf("%s: %#v", name, err)
		case slices.ContainsFunc(dst, func(v float32) bool { return v != 7 }):
			t.Errorf("%s: the result was written to", name)
		}
	}
}

func TestPluginMissing(t *testing.T) {
	pinned := preprocessing.Plugin{Name: "dicom", Version: "1.2.0", Digest: "sha256:" + strings.Repeat("ab", 32)}
	p := preprocessing.Preprocessing{Steps: []preprocessing.Step{decodeStep, {Plugin: &pinned}, resizeStep, normal}}
	_, err := pipeline.CompileWith(t.Context(), p, installed{})
	if err == nil || !strings.Contains(err.Error(), "dicom 1.2.0 (sha256:abababababab) is not installed") {
		t.Errorf("got %v", err)
	}
	if _, err := pipeline.Compile(p); !errors.Is(err, pipeline.ErrNoPlugins) || !strings.Contains(err.Error(), "dicom 1.2.0") {
		t.Errorf("got %v", err)
	}
}

// Opened plugins are closed once: with the pipeline, or if the pipeline cannot
// be created.
func TestPluginsAreClosed(t *testing.T) {
	open := &opener{}
	steps := []preprocessing.Step{step("a", preprocessing.Gives{}), decodeStep, step("b", preprocessing.Gives{}), resizeStep, normal, step("c", preprocessing.Gives{})}
	p, err := pipeline.CompileWith(t.Context(), preprocessing.Preprocessing{Steps: steps}, open)
	if err != nil {
		t.Fatal(err)
	}
	if open.opened != 3 || open.closed != 0 {
		t.Errorf("%d opened, %d closed", open.opened, open.closed)
	}
	if err := p.Close(); err != nil || open.closed != 3 {
		t.Errorf("%d closed, %v", open.closed, err)
	}
	open = &opener{fails: "c"}
	if _, err := pipeline.CompileWith(t.Context(), preprocessing.Preprocessing{Steps: steps}, open); err == nil || open.opened != open.closed {
		t.Errorf("%d opened, %d closed, %v", open.opened, open.closed, err)
	}
}

type opener struct {
	fails          string
	opened, closed int
}

type closer struct {
	process
	*opener
}

func (o *opener) Open(_ context.Context, step preprocessing.Plugin, _ preprocessing.Form) (pipeline.Preprocessor, error) {
	if step.Name == o.fails {
		return nil, errors.New("it does not start")
	}
	o.opened++
	return closer{identity, o}, nil
}

func (c closer) Close() error {
	c.closed++
	return nil
}
