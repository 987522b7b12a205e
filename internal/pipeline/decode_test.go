package pipeline_test

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
)

// decoded returns the result of a decode step for an image, at its own size of
// 9 × 7.
func decoded(t testing.TB, d preprocessing.Decode, encoded []byte) []float32 {
	t.Helper()
	return into(t, decoder(t, d), encoded)
}

func decoder(t testing.TB, d preprocessing.Decode) *pipeline.Pipeline {
	t.Helper()
	return compile(t, preprocessing.Preprocessing{Steps: []preprocessing.Step{
		{Decode: &d},
		{Resize: &preprocessing.Resize{Height: 7, Width: 9, Kernel: preprocessing.Bilinear}},
		{Normalise: &preprocessing.Normalise{Mode: preprocessing.None}},
	}})
}

var box = image.Rect(0, 0, 9, 7)

func asPNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// All bits of a 12-bit camera's samples are used if the step says so, otherwise
// the upper 8 of 16.
func TestBits(t *testing.T) {
	grey, colour, clear := image.NewGray16(box), image.NewRGBA64(box), image.NewNRGBA64(box)
	value := func(x, y int) uint16 { return uint16((x + 9*y) * 66) } // to 4092
	for y := range 7 {
		for x := range 9 {
			v := value(x, y)
			grey.SetGray16(x, y, color.Gray16{Y: v})
			colour.SetRGBA64(x, y, color.RGBA64{R: v, G: v / 2, B: 4095 - v, A: 65535})
			clear.SetNRGBA64(x, y, color.NRGBA64{R: v, G: v / 2, B: 4095 - v, A: v * 16})
		}
	}
	for channels := 1; channels <= 3; channels += 2 {
		for name, m := range map[string]image.Image{"grey": grey, "colour": colour, "with alpha": clear} {
			got := decoded(t, preprocessing.Decode{Channels: channels, Bits: 12}, asPNG(t, m))
			coarse := decoded(t, preprocessing.Decode{Channels: channels}, asPNG(t, m))
			for i, v := range got {
				x, y := i/channels%9, i/channels/9
				c := color.NRGBA64{R: value(x, y), G: value(x, y), B: value(x, y)}
				if m != image.Image(grey) {
					c = clear.NRGBA64At(x, y)
				}
				levels := [3]float64{float64(c.R), float64(c.G), float64(c.B)}
				want := levels[i%channels]
				if channels == 1 {
					want = (19595*levels[0] + 38470*levels[1] + 7471*levels[2]) / 65536
				}
				if math.Abs(float64(v)-want*255/4095) > 1e-3 {
					t.Fatalf("%s in %d channels at %d, %d: %g, want %g", name, channels, x, y, v, want*255/4095)
				}
				if coarse[i] != float32(math.Trunc(float64(coarse[i]))) || coarse[i] > 15 {
					t.Fatalf("%s without bits: %g", name, coarse[i])
				}
			}
		}
	}

	narrow := decoder(t, preprocessing.Decode{Channels: 1, Bits: 10})
	if r := reason(t, narrow.Into(t.Context(), asPNG(t, grey), make([]float32, narrow.Elements()))); r != pipeline.Unsupported {
		t.Errorf("samples of 12 bits for 10: %q", r)
	}
}

// Images of 8 bits are the same with and without bits, in every format.
func TestBitsLeaveOthersAlone(t *testing.T) {
	for format, encoded := range encodings(t, 60, 50) {
		if !slices.Equal(decoded(t, preprocessing.Decode{Channels: 3, Bits: 12, Orientation: true}, encoded), decoded(t, preprocessing.Decode{Channels: 3}, encoded)) {
			t.Errorf("%s differs", format)
		}
	}
}

// A plugin after a decode with bits gets float32 for any image.
func TestBitsBeforePlugin(t *testing.T) {
	plugins := installed{"same": identity}
	p := compileWith(t, plugins, preprocessing.Step{Decode: &preprocessing.Decode{Channels: 3, Bits: 16}},
		step("same", preprocessing.Gives{}), resizeStep, normal)
	for format, encoded := range encodings(t, 60, 50) {
		if err := p.Into(t.Context(), encoded, make([]float32, p.Elements())); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
	if err := p.Into(t.Context(), asPNG(t, image.NewGray16(box)), make([]float32, p.Elements())); err != nil {
		t.Error(err)
	}
}

// Black ink on a transparent background is visible only over a background.
func TestBackground(t *testing.T) {
	eight, sixteen := image.NewNRGBA(box), image.NewNRGBA64(box)
	palette := make(color.Palette, 0, 256)
	for a := range 256 {
		palette = append(palette, color.NRGBA{A: uint8(a)})
	}
	indexed := image.NewPaletted(box, palette)
	alpha := func(x, y int) uint8 { return uint8(4 * (x + 9*y)) }
	for y := range 7 {
		for x := range 9 {
			eight.SetNRGBA(x, y, color.NRGBA{A: alpha(x, y)})
			sixteen.SetNRGBA64(x, y, color.NRGBA64{A: uint16(alpha(x, y)) * 257})
			indexed.SetColorIndex(x, y, alpha(x, y))
		}
	}
	for name, m := range map[string]image.Image{"8 bits": eight, "16 bits": sixteen, "palette": indexed} {
		for _, background := range [][]int{{200}, {200, 100, 0}} {
			n := len(background)
			for _, bits := range []int{0, 16} {
				got := decoded(t, preprocessing.Decode{Channels: n, Bits: bits, Background: background}, asPNG(t, m))
				for i, v := range got {
					x, y := i/n%9, i/n/9
					want := float64(background[i%n]) * float64(255-alpha(x, y)) / 255
					if math.Abs(float64(v)-want) > 0.51 {
						t.Fatalf("%s over %v with %d bits at %d, %d: %g, want %g", name, background, bits, x, y, v, want)
					}
				}
			}
		}
		if dropped := decoded(t, preprocessing.Decode{Channels: 3}, asPNG(t, m)); slices.Max(dropped) != 0 {
			t.Errorf("%s without a background: %v", name, dropped)
		}
	}
}

// The part of the screen that is not covered by a GIF's frame, and its
// transparent pixels, are background.
func TestBackgroundOfGIF(t *testing.T) {
	frame := image.NewPaletted(image.Rect(2, 2, 5, 5), color.Palette{color.Transparent, color.NRGBA{R: 9, A: 255}})
	frame.SetColorIndex(3, 3, 1)
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame}, Delay: []int{0}, Config: image.Config{Width: 9, Height: 7}}); err != nil {
		t.Fatal(err)
	}
	got := decoded(t, preprocessing.Decode{Channels: 3, Background: []int{50, 60, 70}}, b.Bytes())
	for i, v := range got {
		want := float32([]int{50, 60, 70}[i%3])
		if i/3 == 3*9+3 {
			want = float32([]int{9, 0, 0}[i%3])
		}
		if v != want {
			t.Fatalf("at %d: %g, want %g", i/3, v, want)
		}
	}
}

// Lossy and lossless WebP have different encodings of alpha.
func TestBackgroundOfWebP(t *testing.T) {
	b := fixture(t, "extended.webp")
	over := func(level int) []float32 {
		return decoded(t, preprocessing.Decode{Channels: 3, Background: []int{level, level, level}}, b)
	}
	// The alpha rises along with the picture's grey; so does what covers the background.
	black, white := over(0), over(255)
	covered := 0
	for i := range black {
		if white[i] < black[i] {
			t.Fatalf("darker over white: %g, %g", white[i], black[i])
		}
		if white[i]-black[i] < 128 {
			covered++
		}
	}
	if covered == 0 || covered == len(black) {
		t.Errorf("%d of %d values are covered", covered, len(black))
	}
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "preprocessing", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The inks of a JPEG are converted to red, green and blue, but not to grey.
func TestCMYK(t *testing.T) {
	inks, plain := fixture(t, "cmyk.jpg"), fixture(t, "baseline.jpg")
	difference := 0.0
	want := decoded(t, preprocessing.Decode{Channels: 3}, plain)
	for i, v := range decoded(t, preprocessing.Decode{Channels: 3}, inks) {
		difference += math.Abs(float64(v-want[i])) / float64(len(want))
	}
	if difference > 20 {
		t.Errorf("the same picture in CMYK differs by %.1f levels", difference)
	}
	p := decoder(t, preprocessing.Decode{Channels: 1})
	err := p.Into(t.Context(), inks, make([]float32, p.Elements()))
	if r := reason(t, err); r != pipeline.Unsupported {
		t.Errorf("%q: %v", r, err)
	}
}

// Grey becomes three equal channels, and colour its luma.
func TestChannelsOfJPEG(t *testing.T) {
	grey := decoded(t, preprocessing.Decode{Channels: 1}, fixture(t, "grey.jpg"))
	for i, v := range decoded(t, preprocessing.Decode{Channels: 3}, fixture(t, "grey.jpg")) {
		if v != grey[i/3] {
			t.Fatalf("value %d: %g, want %g", i, v, grey[i/3])
		}
	}
	colour := decoded(t, preprocessing.Decode{Channels: 3}, fixture(t, "baseline.jpg"))
	for i, v := range decoded(t, preprocessing.Decode{Channels: 1}, fixture(t, "baseline.jpg")) {
		p := colour[3*i:]
		if want := 0.299*p[0] + 0.587*p[1] + 0.114*p[2]; math.Abs(float64(v-want)) > 8 {
			t.Fatalf("pixel %d: %g, want %g", i, v, want)
		}
	}
}

// Colour profiles are ignored.
func TestColourProfile(t *testing.T) {
	with := fixture(t, "metadata.jpg")
	without := bytes.Clone(with)
	for i := bytes.Index(without, []byte{0xff, 0xe2}); i >= 0; i = bytes.Index(without, []byte{0xff, 0xe2}) {
		end := i + 2 + int(without[i+2])<<8 + int(without[i+3])
		without = append(without[:i], without[end:]...)
	}
	if len(with)-len(without) < 70000 {
		t.Fatal("there was no profile")
	}
	if !slices.Equal(decoded(t, preprocessing.Decode{Channels: 3}, with), decoded(t, preprocessing.Decode{Channels: 3}, without)) {
		t.Error("the profile matters")
	}
}
