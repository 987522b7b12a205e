package inference_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"slices"
	"strings"
	"sync"
	"testing"

	"tkit/inference"
	"tkit/inference/inferencetest"
	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
	"tkit/registry"
)

// inverter is the one plugin installed: it inverts pixels, and fails for images
// of one colour.
type inverter struct {
	mu sync.Mutex
	// installed is the digest of the installed plugin.
	installed string
}

func (i *inverter) install(digest string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.installed = digest
}

func (i *inverter) Open(_ context.Context, step preprocessing.Plugin, _ preprocessing.Form) (pipeline.Preprocessor, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if step.Digest != i.installed {
		return nil, fmt.Errorf("plugin %s is not installed", step)
	}
	return i, nil
}

func (*inverter) Process(_ context.Context, in preprocessing.Batch) (preprocessing.Batch, error) {
	if first := in.Uint8[0]; !slices.ContainsFunc(in.Uint8, func(v uint8) bool { return v != first }) {
		return in, &pipeline.ImageError{Reason: pipeline.Refused, Err: errors.New("nothing is on it")}
	}
	in.Uint8 = slices.Clone(in.Uint8)
	for i := range in.Uint8 {
		in.Uint8[i] ^= 255
	}
	return in, nil
}

func digestOf(letter string) string { return "sha256:" + strings.Repeat(letter, 64) }

func inverting(digest string) preprocessing.Preprocessing {
	return preprocessing.Preprocessing{Steps: []preprocessing.Step{
		{Decode: &preprocessing.Decode{Channels: 1}},
		{Plugin: &preprocessing.Plugin{Name: "invert", Version: "1.0.0", Digest: digest}},
		{Resize: &preprocessing.Resize{Height: 32, Width: 32, Kernel: preprocessing.Bilinear}},
		{Normalise: &preprocessing.Normalise{Mode: preprocessing.Unit}},
	}}
}

// A server without the plugin that a version pins refuses the version and names
// the plugin. Other versions are served, and so is this one once the plugin is
// installed.
func TestPinnedPlugin(t *testing.T) {
	h := inferencetest.New(t)
	h.Serve(t, "plain")
	h.ServePreprocessed(t, "inverted", 2, inverting(digestOf("b")))
	plugins := &inverter{installed: digestOf("a")}
	m := inferencetest.RunWith(t, h.Source(t), func(o *inference.LoaderOptions) { o.Plugins = plugins })
	trouble := func() string {
		status, err := m.Status(registry.Ref{Model: "inverted"})
		if err != nil {
			return ""
		}
		return fmt.Sprint(status)
	}
	m.Until(t, "the version is refused", func() bool {
		return strings.Contains(trouble(), "plugin invert 1.0.0 (sha256:bbbbbbbbbbbb) is not installed")
	})
	m.Until(t, "the other version is loaded", func() bool { return answers(m, registry.Ref{Model: "plain"}) == 1 })
	if answers(m, registry.Ref{Model: "inverted"}) != 0 {
		t.Error("the version without its plugin answers")
	}
	plugins.install(digestOf("b"))
	m.Until(t, "the version is loaded", func() bool { return answers(m, registry.Ref{Model: "inverted"}) == 1 })

	// The results are those for the images that the pipeline with the plugin
	// returns.
	images := [][]byte{inferencetest.JPEG(t, 1), inferencetest.PNG(t, 2)}
	want := byHandWith(t, h, "inverted", images, plugins)
	for i, p := range classify(t, m, registry.Ref{Model: "inverted"}, images...) {
		for k, v := range p.Probabilities {
			if d := v - want[i][k]; d > 1e-5 || d < -1e-5 {
				t.Fatalf("image %d: %v, by hand %v", i, p.Probabilities, want[i])
			}
		}
	}
	s, err := m.Acquire(t.Context(), registry.Ref{Model: "inverted"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	if _, _, err := s.Classify(t.Context(), [][]byte{images[0], blank(t)}); inference.ReasonOf(err) != inference.RefusedImage ||
		!strings.Contains(err.Error(), "image 1") || !strings.Contains(err.Error(), "nothing is on it") {
		t.Errorf("an image that the plugin refuses: %v", err)
	}
}

// The result for ten crops is that of the head for their mean bottleneck,
// whatever batches the crops are in, and for any number of images in a request.
func TestTenCrops(t *testing.T) {
	ten := preprocessing.Preprocessing{Steps: []preprocessing.Step{
		{Decode: &preprocessing.Decode{Channels: 1}},
		{Resize: &preprocessing.Resize{Height: 37, Width: 40, Kernel: preprocessing.Bilinear}},
		{TenCrop: &preprocessing.TenCrop{Height: 32, Width: 32}},
		{Normalise: &preprocessing.Normalise{Mode: preprocessing.Unit}},
	}}
	h := inferencetest.New(t)
	h.ServePreprocessed(t, "ten", 1, ten)
	m := inferencetest.RunWith(t, h.Source(t), func(o *inference.LoaderOptions) { o.Limits.MaxQueue = 60 })
	m.Until(t, "ready", func() bool { return answers(m, registry.Ref{Model: "ten"}) == 1 })

	var images [][]byte
	for seed := range uint64(inferencetest.MaxImages) {
		images = append(images, inferencetest.JPEG(t, seed/2)) // each comes twice
	}
	want := byHandWith(t, h, "ten", images, nil)
	for i, p := range classify(t, m, registry.Ref{Model: "ten"}, images...) {
		for k, v := range p.Probabilities {
			if d := v - want[i][k]; d > 1e-5 || d < -1e-5 {
				t.Fatalf("image %d: %v, by hand %v", i, p.Probabilities, want[i])
			}
		}
	}

	// A queue shorter than ten views cannot serve the version.
	short := inferencetest.Run(t, h.Source(t))
	short.Until(t, "refused", func() bool {
		status, err := short.Status(registry.Ref{Model: "ten"})
		return err == nil && strings.Contains(fmt.Sprint(status), "an image has 10 views and the queue holds 8")
	})
}

// blank is an image of one colour.
func blank(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 40))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
