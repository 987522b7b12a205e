package preprocessing

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"testing"

	"tkit/internal/fuzztest"
)

func encodedPNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withChunk inserts a chunk before the pixels of a PNG.
func withChunk(b []byte, kind string, body []byte) []byte {
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), kind...)
	chunk = append(append(chunk, body...), 0, 0, 0, 0)
	at := bytes.Index(b, []byte("IDAT")) - 4
	return append(append(bytes.Clone(b[:at]), chunk...), b[at:]...)
}

func TestDetailsOfFixtures(t *testing.T) {
	for name, b := range images(t) {
		want := Details{Orientation: Upright}
		switch name {
		case "metadata.jpg":
			want.Orientation = TurnRight
		case "cmyk.jpg":
			want.Inks = true
		case "rgba.png", "rgba.bmp", "extended.webp":
			want.Alpha = true
		case "animated.gif", "animated.webp":
			want.Animated = true
		}
		if name == "rgba.bmp" && binary.LittleEndian.Uint32(b[bmpFileHeader:]) == bmpInfoHeader {
			want.Alpha = false // no mask declares the fourth byte as alpha
		}
		if got := DetailsOf(b); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

func TestDetailsOfPNG(t *testing.T) {
	box := image.Rect(0, 0, 9, 7)
	grey := encodedPNG(t, image.NewGray(box))
	clear := image.NewPaletted(box, color.Palette{color.NRGBA{}, color.White})
	for name, c := range map[string]struct {
		b    []byte
		want Details
	}{
		"grey":          {grey, Details{}},
		"grey, 16":      {encodedPNG(t, image.NewGray16(box)), Details{Deep: true}},
		"colour, 16":    {encodedPNG(t, image.NewNRGBA64(box)), Details{Deep: true, Alpha: true}},
		"alpha":         {encodedPNG(t, image.NewNRGBA(box)), Details{Alpha: true}},
		"clear palette": {encodedPNG(t, clear), Details{Alpha: true}},
		"tRNS":          {withChunk(grey, "tRNS", []byte{0, 0}), Details{Alpha: true}},
		"animated":      {withChunk(grey, "acTL", []byte{0, 0, 0, 2, 0, 0, 0, 0}), Details{Animated: true}},
		"one frame":     {withChunk(grey, "acTL", []byte{0, 0, 0, 1, 0, 0, 0, 0}), Details{}},
		"turned":        {withChunk(grey, "eXIf", tiff(binary.BigEndian, 0x0112, 8)), Details{Orientation: TurnLeft}},
	} {
		if c.want.Orientation == 0 {
			c.want.Orientation = Upright
		}
		if got := DetailsOf(c.b); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// In a GIF the first frame counts.
func TestDetailsOfGIF(t *testing.T) {
	box := image.Rect(0, 0, 9, 7)
	opaque := image.NewPaletted(box, color.Palette{color.Black, color.White})
	clear := image.NewPaletted(box, color.Palette{color.Black, color.Transparent})
	for name, c := range map[string]struct {
		frames []*image.Paletted
		want   Details
	}{
		"opaque":     {[]*image.Paletted{opaque}, Details{Orientation: Upright}},
		"clear":      {[]*image.Paletted{clear}, Details{Orientation: Upright, Alpha: true}},
		"clear next": {[]*image.Paletted{opaque, clear}, Details{Orientation: Upright, Animated: true}},
	} {
		var b bytes.Buffer
		if err := gif.EncodeAll(&b, &gif.GIF{Image: c.frames, Delay: make([]int, len(c.frames))}); err != nil {
			t.Fatal(err)
		}
		if got := DetailsOf(b.Bytes()); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestAllPixels(t *testing.T) {
	box := image.Rect(0, 0, 9, 7)
	frame := image.NewPaletted(box, color.Palette{color.Black, color.White})
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame, frame, frame}, Delay: make([]int, 3)}); err != nil {
		t.Fatal(err)
	}
	three := b.Bytes()
	noScreen := bytes.Clone(three)
	copy(noScreen[6:], make([]byte, 4))
	otherVersion := bytes.Clone(three)
	otherVersion[4] = '8'
	var still bytes.Buffer
	if err := png.Encode(&still, frame); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b    []byte
		want int64
	}{
		"three frames":                  {three, 3 * 63},
		"frames larger than the screen": {noScreen, 3 * 63},
		"an unknown version":            {otherVersion, 3 * 63},
		"a truncated last frame":        {three[:len(three)-4], 3 * 63},
		"a PNG":                         {still.Bytes(), 63},
		"text":                          {[]byte("GIF8 and more"), 0},
		"nothing":                       {nil, 0},
	} {
		if got := AllPixels(c.b); got != c.want {
			t.Errorf("%s: %d pixels, want %d", name, got, c.want)
		}
	}
}

func FuzzDetails(f *testing.F) {
	for _, b := range images(f) {
		if len(b) < 4096 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		if n := AllPixels(b); n < 0 {
			t.Errorf("%d pixels", n)
		}
		if d := DetailsOf(b); d.Deep && formatOf(b) != PNG {
			t.Errorf("%+v", d)
		}
	})
}
