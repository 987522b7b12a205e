package pictures

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tkit/datasets"
	"tkit/datasets/similarity"
	"tkit/internal/needs"
)

// scene returns a random picture with detail at every scale.
func scene(seed uint64, width, height int) image.Image {
	r := rand.New(rand.NewPCG(seed, 7))
	type wave struct{ x, y, phase, height float64 }
	waves := make([]wave, 40)
	for i := range waves {
		waves[i] = wave{6 * r.NormFloat64(), 6 * r.NormFloat64(), 6.3 * r.Float64(), 12 * r.NormFloat64()}
	}
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			v := 128.0
			for _, w := range waves {
				v += w.height * math.Cos(w.x*float64(x)/float64(width)+w.y*float64(y)/float64(height)+w.phase)
			}
			v = max(0, min(255, v))
			m.SetRGBA(x, y, color.RGBA{uint8(v), uint8(v * 0.9), uint8(v * 0.7), 255})
		}
	}
	return m
}

func encode(t testing.TB, format string, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	err := errors.New("no such format")
	switch format {
	case "png":
		err = png.Encode(&b, m)
	case "gif":
		err = gif.Encode(&b, m, nil)
	case "jpeg":
		err = jpeg.Encode(&b, m, &jpeg.Options{Quality: 90})
	case "poor jpeg":
		err = jpeg.Encode(&b, m, &jpeg.Options{Quality: 25})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func newPrinter(t testing.TB) *Printer {
	t.Helper()
	p, err := NewPrinter()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// A picture is recognised in every format and size; a different one is not.
func TestPrint(t *testing.T) {
	needs.Minutes(t)
	p := newPrinter(t)
	print := func(encoded []byte) *similarity.Print {
		t.Helper()
		got, ok, err := p.Print(t.Context(), encoded)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		return &got
	}
	first := print(encode(t, "png", scene(1, 320, 240)))
	for format, size := range map[string]image.Point{"jpeg": {320, 240}, "poor jpeg": {320, 240}, "gif": {160, 120}, "png": {80, 60}} {
		if again := print(encode(t, format, scene(1, size.X, size.Y))); !similarity.Default.Alike(first, again) {
			t.Errorf("%s of %v: %d bits, correlation %.3f", format, size, similarity.Distance(first.Hash, again.Hash), first.Correlation(again))
		}
	}
	for seed := range uint64(50) {
		if other := print(encode(t, "jpeg", scene(seed+2, 320, 240))); similarity.Default.Alike(first, other) {
			t.Errorf("picture %d is taken for the first: %d bits, correlation %.3f", seed+2, similarity.Distance(first.Hash, other.Hash), first.Correlation(other))
		}
	}
}

// An image that is too small or too plain has no print, without an error.
func TestNoPrint(t *testing.T) {
	p := newPrinter(t)
	for name, m := range map[string]image.Image{
		"a blank page": image.NewGray(image.Rect(0, 0, 200, 300)),
		"7 pixels":     scene(1, 100, 7),
		"a pixel":      scene(1, 1, 1),
	} {
		if _, ok, err := p.Print(t.Context(), encode(t, "png", m)); ok || err != nil {
			t.Errorf("%s: print %t, %v", name, ok, err)
		}
	}
	if _, ok, err := p.Print(t.Context(), encode(t, "png", scene(1, 8, 8))); !ok || err != nil {
		t.Errorf("8×8: print %t, %v", ok, err)
	}
}

func TestUndecodable(t *testing.T) {
	p := newPrinter(t)
	for _, format := range []string{"png", "jpeg"} {
		broken := encode(t, format, scene(1, 64, 64))
		for i := len(broken) / 3; i < len(broken)/2; i++ {
			broken[i] = 0xff
		}
		if _, ok, err := p.Print(t.Context(), broken); ok || !errors.Is(err, datasets.ErrUndecodable) {
			t.Errorf("%s: print %t, %v", format, ok, err)
		}
	}
	if _, _, err := p.Print(t.Context(), []byte("no image")); !errors.Is(err, datasets.ErrUndecodable) {
		t.Error(err)
	}
}

func BenchmarkPrint(b *testing.B) {
	p, encoded := newPrinter(b), encode(b, "jpeg", scene(1, 500, 375))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := p.Print(b.Context(), encoded); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// files is a source of files in memory, in one class.
type files map[string][]byte

func (f files) URI() string { return "memory://files" }

func (f files) Examples(context.Context) iter.Seq2[datasets.Example, error] {
	return func(yield func(datasets.Example, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(f)) {
			open := func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f[key])), nil }
			if !yield(datasets.Example{Key: key, Label: "a", Open: open}, nil) {
				return
			}
		}
	}
}

func TestThumbnails(t *testing.T) {
	src := files{"1.png": encode(t, "png", scene(1, 300, 200)), "2.png": encode(t, "png", scene(2, 8, 8)), "3.jpg": encode(t, "jpeg", scene(3, 20, 900)), "4.png": encode(t, "png", scene(4, 64, 64))}
	s, _, err := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{})
	if err != nil {
		t.Fatal(err)
	}
	src["9 unknown.txt"] = []byte("no image")
	src["8 unknown.gif"] = encode(t, "gif", scene(8, 100, 100))
	wanted := map[string]bool{"1.png": true, "2.png": true, "3.jpg": true, "8 unknown.gif": true, "9 unknown.txt": true, "gone.png": true}
	got, err := Thumbnails(t.Context(), src, s, wanted)
	if err != nil {
		t.Fatal(err)
	}
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, []string{"1.png", "2.png", "3.jpg", "8 unknown.gif"}) {
		t.Errorf("%q", names)
	}
	for key, b := range got {
		c, format, err := image.DecodeConfig(bytes.NewReader(b))
		if err != nil || format != "jpeg" || c.Width != thumbnailSide || c.Height != thumbnailSide {
			t.Errorf("%s: %s of %d×%d, %v", key, format, c.Width, c.Height, err)
		}
	}
	src["1.png"] = encode(t, "png", scene(7, 300, 200))
	if _, err := Thumbnails(t.Context(), src, s, wanted); !errors.Is(err, datasets.ErrChanged) {
		t.Errorf("an image was replaced: %v", err)
	}
	if got, err := Thumbnails(t.Context(), src, s, nil); err != nil || len(got) > 0 {
		t.Error(got, err)
	}
}
