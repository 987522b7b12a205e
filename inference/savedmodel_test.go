package inference_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"tkit/inference"
	"tkit/internal/needs"
	"tkit/internal/savedmodel/savedmodeltest"
	"tkit/internal/tensorflow"
)

// fixed is a source of one SavedModel.
type fixed struct {
	inference.Source
	dir string
}

func (f fixed) Parts(context.Context, string, int) (inference.Parts, error) {
	return inference.Parts{SavedModel: f.dir}, nil
}

func loadSavedModel(t *testing.T, name string) *inference.Handle {
	t.Helper()
	models := savedmodeltest.Cached(t, "models", filepath.Join(needs.Root(t), "internal", "signatures", "testdata", "models.py"))
	loader := inference.NewLoader(fixed{dir: filepath.Join(models, name)}, inference.LoaderOptions{Decoders: 1, Log: slog.New(slog.DiscardHandler)})
	h, err := loader.Load(t.Context(), "m", 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Release)
	return h
}

// Inputs may be in any order; outputs are in the order of their names.
func TestSavedModel(t *testing.T) {
	h := loadSavedModel(t, "types")
	if h.Version.String() != "m@3" || h.Manifest != nil {
		t.Errorf("%v", h.Version)
	}
	scale := inference.Tensor{Name: "scale", Type: tensorflow.Int64, Shape: []int64{}, Data: []byte{2, 0, 0, 0, 0, 0, 0, 0}}
	mask := inference.Tensor{Name: "mask", Type: tensorflow.Bool, Shape: []int64{1}, Data: []byte{1}}
	numbers := inference.Tensor{Name: "numbers", Type: tensorflow.Int64, Shape: []int64{2, 1}, Data: append(bytes.Clone(scale.Data), scale.Data...)}
	out, timings, err := h.Run(t.Context(), "", []inference.Tensor{scale, mask, numbers}, []string{"sums", "any"})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 2 || out[0].Name != "sums" || !bytes.Equal(out[0].Data, []byte{4, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0}) ||
		out[1].Name != "any" || !bytes.Equal(out[1].Data, []byte{1}) || timings.Trunk <= 0 {
		t.Errorf("%v, %+v", out, timings)
	}
	mask.Shape = []int64{1, 1}
	if _, _, err := h.Run(t.Context(), "", []inference.Tensor{scale, mask, numbers}, nil); inference.ReasonOf(err) != inference.BadRequest {
		t.Errorf("a wrong rank: %v", err)
	}
	if _, _, err := h.Classify(t.Context(), [][]byte{{1}}); inference.ReasonOf(err) != inference.BadRequest {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	mask.Shape = []int64{1}
	if _, _, err := h.Run(ctx, "", []inference.Tensor{scale, mask, numbers}, nil); inference.ReasonOf(err) != inference.Cancelled {
		t.Errorf("%v", err)
	}
}

// vast is an image of one colour with more pixels than are decoded.
type vast struct{ image.Image }

func (vast) Bounds() image.Rectangle { return image.Rect(0, 0, 1<<14, 1<<13) }

// manyFrames returns a GIF of 17 frames of 2048×2048 pixels, 68 Mi together.
func manyFrames(t *testing.T) []byte {
	t.Helper()
	var frames gif.GIF
	for range 17 {
		frames.Image = append(frames.Image, image.NewPaletted(image.Rect(0, 0, 2048, 2048), color.Palette{color.Black, color.White}))
		frames.Delay = append(frames.Delay, 1)
	}
	var encoded bytes.Buffer
	if err := gif.EncodeAll(&encoded, &frames); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes()
}

func TestSavedModelRefusesVastImages(t *testing.T) {
	h := loadSavedModel(t, "images")
	var single bytes.Buffer
	if err := png.Encode(&single, vast{image.NewUniform(color.Gray{})}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		encoded []byte
		reason  inference.Reason
		text    string
	}{
		"one frame":   {single.Bytes(), inference.TooManyPixels, "134217728 pixels"},
		"many frames": {manyFrames(t), inference.TooManyPixels, "71303168 pixels in all its frames"},
		"no image":    {[]byte("not an image"), inference.BadRequest, ""},
	} {
		in := inference.Tensor{Name: "image_bytes", Type: tensorflow.String, Shape: []int64{1}, Strings: [][]byte{c.encoded}}
		_, _, err := h.Run(t.Context(), "", []inference.Tensor{in}, nil)
		if inference.ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
