package inference_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"testing"

	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
)

// compile compiles a pipeline, which is closed at the end of the test.
func compile(t testing.TB, p preprocessing.Preprocessing) *pipeline.Pipeline {
	t.Helper()
	pl, err := pipeline.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pl.Close(); err != nil {
			t.Error(err)
		}
	})
	return pl
}

// into preprocesses one image.
func into(t testing.TB, p *pipeline.Pipeline, encoded []byte) []float32 {
	t.Helper()
	dst := make([]float32, p.Elements())
	if err := p.Into(t.Context(), encoded, dst); err != nil {
		t.Fatal(err)
	}
	return dst
}

// reason returns the reason of an image's error.
func reason(t testing.TB, err error) pipeline.Reason {
	t.Helper()
	var e *pipeline.ImageError
	if !errors.As(err, &e) {
		t.Errorf("%v is no ImageError", err)
		return ""
	}
	return e.Reason
}

// drawn encodes a picture with content in every corner.
func drawn(t testing.TB, w, h int, encode func(io.Writer, image.Image) error) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.NRGBA{uint8(x * 7), uint8(y * 5), uint8(x * y), 255})
		}
	}
	var b bytes.Buffer
	if err := encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) }
