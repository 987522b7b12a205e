package raster

import (
	"image"
	"image/color"
	"os"
	"path/filepath"
	"testing"

	"tkit/internal/fuzztest"
	"tkit/internal/preprocessing"
)

// painted returns an image whose left and right halves have different colours.
func painted[Image interface {
	image.Image
	Set(x, y int, c color.Color)
}](m Image, left, right color.Color) image.Image {
	b := m.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			m.Set(x, y, left)
			if x >= b.Dx()/2 {
				m.Set(x, y, right)
			}
		}
	}
	return m
}

func TestContentOf(t *testing.T) {
	box := image.Rect(0, 0, 8, 6)
	black, white := color.NRGBA{A: 255}, color.NRGBA{255, 255, 255, 255}
	blackClear, whiteClear := color.NRGBA{}, color.NRGBA{255, 255, 255, 0}
	nearly := color.NRGBA{9, 9, 9, 255}
	twelve := color.Gray16{Y: 4095}
	for name, c := range map[string]struct {
		m    image.Image
		want Content
	}{
		"opaque":         {painted(image.NewNRGBA(box), black, white), Content{}},
		"grey":           {painted(image.NewGray(box), black, white), Content{}},
		"all clear":      {painted(image.NewNRGBA(box), blackClear, blackClear), Content{Transparent: true}},
		"white in clear": {painted(image.NewNRGBA(box), white, blackClear), Content{Transparent: true}},
		"black ink":      {painted(image.NewNRGBA(box), black, blackClear), Content{Transparent: true, Shape: true}},
		"uneven ink":     {painted(image.NewNRGBA(box), nearly, blackClear), Content{Transparent: true, Shape: true}},
		"white ink":      {painted(image.NewNRGBA(box), white, whiteClear), Content{Transparent: true, Shape: true, Light: true}},
		"faint shadow":   {painted(image.NewNRGBA(box), black, color.NRGBA{A: 240}), Content{Transparent: true}},
		"ink of 16 bits": {painted(image.NewNRGBA64(box), black, blackClear), Content{Transparent: true, Shape: true}},
		"12 bits":        {painted(image.NewGray16(box), color.Gray16{}, twelve), Content{Greatest: 4095}},
		"12 in colour":   {painted(image.NewRGBA64(box), color.Gray16{}, twelve), Content{Greatest: 4095}},
		"palette":        {painted(image.NewPaletted(box, color.Palette{black, blackClear, white}), black, blackClear), Content{Transparent: true, Shape: true}},
		"video, opaque":  {video(255, 255), Content{}},
		"video, ink":     {video(255, 0), Content{Transparent: true, Shape: true}},
	} {
		if got := ContentOf(c.m); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// video returns a dark lossy WebP with these two alphas.
func video(left, right uint8) image.Image {
	m := image.NewNYCbCrA(image.Rect(0, 0, 8, 6), image.YCbCrSubsampleRatio420)
	for i := range m.A {
		m.A[i] = left
		if i%8 >= 4 {
			m.A[i] = right
		}
	}
	return m
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("..", "preprocessing", "testdata", "*.*"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 4096 {
			f.Add(b)
		}
	}
	// A lossless WebP may have 65,536 tables of codes whatever its size is.
	limit := fuzztest.Default
	limit.Bytes, limit.PerByte = 512<<20, 1<<14
	f.Fuzz(func(t *testing.T, b []byte) {
		defer limit.Watch(t, len(b))()
		format, width, height, err := preprocessing.Sniff(b)
		if err != nil || width*height > 1<<16 || format == preprocessing.JPEG {
			return
		}
		m, err := Decode(format, b)
		if err != nil {
			return
		}
		canvas := Canvas{Width: width, Height: height, Channels: 3, Background: []uint8{1, 2, 3}}
		if canvas.Fits(format, m) != nil {
			return
		}
		canvas.Bytes(m, make([]uint8, width*height*3))
		if content := ContentOf(m); content.Shape && !content.Transparent {
			t.Errorf("%+v", content)
		}
		if Deep(m) {
			if err := canvas.Floats(m, 16, make([]float32, width*height*3)); err != nil {
				t.Error(err)
			}
		}
	})
}
