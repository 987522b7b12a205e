package datasets_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/internal/preprocessing"
)

func encodedPNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// deep returns a grey 16-bit image whose samples rise to a greatest.
func deep(t testing.TB, n int, greatest uint16) []byte {
	m := image.NewGray16(image.Rect(0, 0, 40, 40))
	m.SetGray16(n%40, n/40, color.Gray16{Y: greatest})
	return encodedPNG(t, m)
}

// ink returns a dot of a grey level on a transparent background.
func ink(t testing.TB, n int, level uint8) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, 40, 40))
	for i := range m.Pix {
		if m.Pix[i] = level; i%4 == 3 {
			m.Pix[i] = 0
		}
	}
	m.SetNRGBA(n%40, n/40, color.NRGBA{level, level, level, 255})
	return encodedPNG(t, m)
}

// opaque has an alpha channel without transparency.
func opaque(t testing.TB, n int) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, 40, 40))
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = 255
	}
	m.SetNRGBA(n%40, n/40, color.NRGBA{0, 99, 0, 255})
	return encodedPNG(t, withAlpha{m})
}

// withAlpha makes the encoder keep an opaque alpha channel.
type withAlpha struct{ *image.NRGBA }

func (withAlpha) Opaque() bool { return false }

// turned returns a JPEG whose orientation is a quarter turn to the right.
func turned(t testing.TB, n int) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 40, 40))
	for i := range m.Pix {
		m.Pix[i] = uint8(n * 5)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	exif := "\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
	return append([]byte("\xff\xd8"+exif), b.Bytes()[2:]...)
}

// Properties that the decode step ignores are warned of once, with a count, an
// example and the remedy; others are not.
func TestDetails(t *testing.T) {
	listed := func(n int, make func(i int) []byte) *memory {
		var files []memoryFile
		for i := range n {
			files = append(files, memoryFile{key: fmt.Sprintf("a/%02d.png", i), bytes: make(i)})
		}
		return of(files...)
	}
	decode := func(d preprocessing.Decode) *preprocessing.Decode { d.Channels = 3; return &d }
	twelve := listed(4, func(i int) []byte { return deep(t, i, 4000) })
	black := listed(4, func(i int) []byte { return ink(t, i, 0) })
	white := listed(4, func(i int) []byte { return ink(t, i, 250) })
	both := listed(4, func(i int) []byte { return ink(t, i, uint8(i%2*255)) })
	exif := listed(4, func(i int) []byte { return turned(t, i) })
	for name, c := range map[string]struct {
		src     *memory
		decode  *preprocessing.Decode
		warning string // "" for none
		fact    string
	}{
		"12 bits":                   {twelve, nil, "4 of 4 images, such as a/00.png, have 16 bits per sample but use only the lower 14, so the upper 8 bits, which are kept, are nearly black: set bits: 12", "16-bit 4 with 16 bits per sample, none above 4000"},
		"12 bits for 8":             {twelve, decode(preprocessing.Decode{}), "bits: 12", "16-bit"},
		"12 bits used":              {twelve, decode(preprocessing.Decode{Bits: 12}), "", "16-bit"},
		"16 bits":                   {listed(4, func(i int) []byte { return deep(t, i, 65535) }), nil, "", "16-bit"},
		"few of little":             {listed(4, func(i int) []byte { return deep(t, i, uint16(min(i+3, 4)*15000-40000)) }), nil, "", "none above 20000"},
		"black of 16":               {listed(1, func(i int) []byte { return deep(t, i, 0) }), nil, "", "none above 0"},
		"black ink":                 {black, nil, "background: [255, 255, 255]", "alpha 4"},
		"white ink":                 {white, nil, "background: [0, 0, 0]", "alpha 4"},
		"black and white ink":       {both, nil, "4 of 4 images, such as a/00.png, have their picture only in the transparency (alpha) and are blank without it: set background: [128, 128, 128]", "alpha 4"},
		"black ink on white":        {black, decode(preprocessing.Decode{Background: []int{255, 255, 255}}), "", "alpha"},
		"black ink on black":        {black, decode(preprocessing.Decode{Background: []int{0, 0, 0}}), "background: [255, 255, 255]", "alpha"},
		"white ink on white":        {white, decode(preprocessing.Decode{Background: []int{255, 255, 255}}), "background: [0, 0, 0]", "alpha"},
		"turned":                    {exif, nil, "", "turned 4"},
		"turned, not by the decode": {exif, decode(preprocessing.Decode{}), "4 of 4 images, such as a/00.png, are not upright unless turned by their EXIF orientation", "turned 4"},
		"turned by the decode":      {exif, decode(preprocessing.Decode{Orientation: true}), "", "turned 4"},
		"ordinary":                  {listed(4, func(i int) []byte { return opaque(t, i) }), decode(preprocessing.Decode{}), "", ""},
	} {
		_, r, err := datasets.TakeSnapshot(t.Context(), c.src, datasets.SnapshotOptions{Decode: c.decode})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		warnings := strings.Join(r.Details.Warnings(), "\n")
		if (c.warning == "") != (warnings == "") || !strings.Contains(warnings, c.warning) || strings.Contains(warnings, "\n") {
			t.Errorf("%s: warnings %q, want %q", name, warnings, c.warning)
		}
		var facts []string
		for _, f := range r.Facts(func(n int) string { return fmt.Sprint(n) })[3:] {
			facts = append(facts, f.Name+" "+f.Text)
		}
		if all := strings.Join(facts, "\n"); (c.fact == "") != (all == "") || !strings.Contains(all, c.fact) {
			t.Errorf("%s: facts %q, want %q", name, all, c.fact)
		}
		if unnamed := r.Unnamed(); strings.Contains(strings.Join(unnamed.Details.Warnings(), ""), "a/0") {
			t.Errorf("%s: %q", name, unnamed.Details.Warnings())
		}
	}
}
