package pipeline

import (
	"bytes"
	stdimage "image"
	"image/color"
	"image/jpeg"
	"testing"

	"tkit/internal/preprocessing"
)

func BenchmarkInto(b *testing.B) {
	m := stdimage.NewRGBA(stdimage.Rect(0, 0, 500, 375))
	for y := range 375 {
		for x := range 500 {
			m.Set(x, y, color.RGBA{uint8(x * y / 100), uint8(x + y*3), uint8(x ^ y), 255})
		}
	}
	var buf bytes.Buffer
	jpeg.Encode(&buf, m, nil)
	for _, mode := range []string{"none", "caffe", "tf", "torch"} {
		b.Run(mode, func(b *testing.B) {
			p, err := Compile(preprocessing.ForMode(mode, 224, 224, 3))
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			dst := make([]float32, 224*224*3)
			for b.Loop() {
				if err := p.Into(b.Context(), buf.Bytes(), dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
