package inference_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"log/slog"
	"path/filepath"
	"slices"
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

// vast returns a black PNG of 16384×8192 pixels of one bit each. It is written
// here because the encoder of image/png takes minutes with the race detector.
func vast(t *testing.T) []byte {
	t.Helper()
	const width, height = 1 << 14, 1 << 13
	var pixels bytes.Buffer
	w := zlib.NewWriter(&pixels)
	for range height {
		if _, err := w.Write(make([]byte, 1+width/8)); err != nil { // the filter and the row
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	encoded := []byte("\x89PNG\r\n\x1a\n")
	for _, c := range []struct {
		kind string
		data []byte
	}{{"IHDR", append(header, 1, 0, 0, 0, 0)}, {"IDAT", pixels.Bytes()}, {"IEND", nil}} {
		body := append([]byte(c.kind), c.data...)
		encoded = binary.BigEndian.AppendUint32(encoded, uint32(len(c.data)))
		encoded = binary.BigEndian.AppendUint32(append(encoded, body...), crc32.ChecksumIEEE(body))
	}
	return encoded
}

// manyFrames returns a GIF with one frame of 2048×2048 pixels 17 times, 68 Mi
// together.
func manyFrames(t *testing.T) []byte {
	t.Helper()
	var encoded bytes.Buffer
	frame := image.NewPaletted(image.Rect(0, 0, 2048, 2048), color.Palette{color.Black, color.White})
	if err := gif.EncodeAll(&encoded, &gif.GIF{Image: []*image.Paletted{frame}, Delay: []int{1}}); err != nil {
		t.Fatal(err)
	}
	const header = 13 // bytes before the first frame; one byte ends the file
	one := encoded.Bytes()
	last := len(one) - 1
	return slices.Concat(one[:header], bytes.Repeat(one[header:last], 17), one[last:])
}

func TestSavedModelRefusesVastImages(t *testing.T) {
	h := loadSavedModel(t, "images")
	for name, c := range map[string]struct {
		encoded []byte
		reason  inference.Reason
		text    string
	}{
		"one frame":   {vast(t), inference.TooManyPixels, "134217728 pixels"},
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
