package preprocessing

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"

	"tkit/internal/preprocessing/jpegtest"
)

// Many scans of few samples are accepted, and few scans of many.
func TestCheckBoundsScans(t *testing.T) {
	for name, c := range map[string]struct {
		side, scans int
		want        error
	}{
		"one scan of 64 Mi pixels":    {8192, 0, nil},
		"as many as may be of them":   {8192, maxPasses - 1, nil},
		"one too many":                {8192, maxPasses, ErrTooCostly},
		"thousands":                   {8192, 6000, ErrTooCostly},
		"as many as may be of a few":  {64, maxScans - 1, nil},
		"one too many of a few":       {64, maxScans, ErrTooCostly},
		"thousands of the least size": {1, 6000, ErrTooCostly},
	} {
		if err := Check(jpegtest.Scans(c.side, c.scans)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckRefusesVariantsOfJPEG(t *testing.T) {
	whole, err := os.ReadFile("testdata/baseline.jpg")
	if err != nil {
		t.Fatal(err)
	}
	header := bytes.Index(whole, []byte{0xff, markerSOF0})
	edit := func(at int, v byte) []byte {
		b := bytes.Clone(whole)
		b[header+at] = v
		return b
	}
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"extended":          {edit(1, markerSOF1), nil},
		"arithmetic":        {edit(1, markerSOF9), nil},
		"lossless":          {edit(1, 0xc3), ErrVariant},
		"hierarchical":      {edit(1, 0xc5), ErrVariant},
		"lossless, arithm.": {edit(1, 0xcb), ErrVariant},
		"12 bits":           {edit(4, 12), ErrVariant},
		"factor 0":          {edit(11, 0x01), ErrCorrupt},
		"factor 5":          {edit(11, 0x15), ErrCorrupt},
		"another component": {edit(10, 99), ErrCorrupt},
	} {
		if err := Check(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	two := edit(9, 2) // the third is not parsed, so not part of the frame
	if err := Check(two); !errors.Is(err, ErrVariant) {
		t.Errorf("two components: %v", err)
	}
}

// A sample with arithmetic coding has a higher weight.
func TestCheckWeighsArithmeticCoding(t *testing.T) {
	scans := func(n int) []byte {
		b := jpegtest.Scans(8192, n-1)
		return bytes.Replace(b, []byte{0xff, markerSOF2}, []byte{0xff, markerSOFa}, 1)
	}
	if err := Check(scans(maxPasses / arithmeticWeight)); err != nil {
		t.Error(err)
	}
	if err := Check(scans(maxPasses/arithmeticWeight + 1)); !errors.Is(err, ErrTooCostly) {
		t.Errorf("one too many: %v", err)
	}
}

// libjpeg treats reserved markers as having no segment when it looks for a
// restart marker: scans inside such a segment are scans.
func TestCheckFindsHiddenScans(t *testing.T) {
	b := jpegtest.Scans(64, maxScans)
	first := bytes.Index(b, []byte{0xff, markerSOS})
	second := first + 2 + bytes.Index(b[first+2:], []byte{0xff, markerSOS})
	hidden := append(bytes.Clone(b[:second]), 0xff, 0x02, 0x7f, 0xff)
	if err := Check(append(hidden, b[second:]...)); !errors.Is(err, ErrTooCostly) {
		t.Error(err)
	}
}

// A decoder allocates memory for the pixels that a header claims.
func TestCheckWantsDataForThePixelsOfAPNG(t *testing.T) {
	b, err := os.ReadFile("testdata/rgb.png")
	if err != nil {
		t.Fatal(err)
	}
	copy(b[16:], []byte{0, 0, 32, 0, 0, 0, 32, 0})
	if err := Check(b); !errors.Is(err, ErrTruncated) {
		t.Error(err)
	}
}

// Each chunk costs a decoder time, whatever its content.
func TestCheckBoundsTheChunksOfAPNG(t *testing.T) {
	b, err := os.ReadFile("testdata/rgb.png")
	if err != nil {
		t.Fatal(err)
	}
	const header = 8 + 25 // signature and IHDR
	empty := append([]byte{0, 0, 0, 0}, "tEXt\x00\x00\x00\x00"...)
	for count, want := range map[int]error{9_000: nil, 20_000: ErrTooCostly} {
		many := slices.Concat(b[:header], bytes.Repeat(empty, count), b[header:])
		if err := Check(many); !errors.Is(err, want) {
			t.Errorf("%d chunks: %v, want %v", count, err, want)
		}
	}
}
