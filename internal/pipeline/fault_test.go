package pipeline_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"golang.org/x/image/bmp"

	"tkit/internal/fuzztest"
	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
	"tkit/internal/preprocessing/jpegtest"
	"tkit/internal/savedmodel/savedmodeltest"
	"tkit/internal/tensorflow"
)

// drawn is a picture with content in every corner.
func drawn(w, h int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.NRGBA{uint8(x * 7), uint8(y * 5), uint8(x * y), 255})
		}
	}
	return m
}

// encodings returns one image in each format.
func encodings(t testing.TB, w, h int) map[preprocessing.Format][]byte {
	t.Helper()
	m := drawn(w, h)
	all := map[preprocessing.Format][]byte{}
	for format, encode := range map[preprocessing.Format]func(*bytes.Buffer) error{
		preprocessing.JPEG: func(b *bytes.Buffer) error { return jpeg.Encode(b, m, nil) },
		preprocessing.PNG:  func(b *bytes.Buffer) error { return png.Encode(b, m) },
		preprocessing.GIF:  func(b *bytes.Buffer) error { return gif.Encode(b, m, nil) },
		preprocessing.BMP:  func(b *bytes.Buffer) error { return bmp.Encode(b, m) },
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		all[format] = b.Bytes()
	}
	// Go cannot write WebP; the reference images include some.
	dir := savedmodeltest.Cached(t, "preprocessing", filepath.Join("testdata", "reference.py"))
	b, err := os.ReadFile(filepath.Join(dir, "lossy.webp"))
	if err != nil {
		t.Fatal(err)
	}
	all[preprocessing.WebP] = b
	return all
}

func reason(t testing.TB, err error) pipeline.Reason {
	t.Helper()
	var e *pipeline.ImageError
	if !errors.As(err, &e) {
		t.Errorf("%v is no ImageError", err)
		return ""
	}
	return e.Reason
}

func TestTruncatedImages(t *testing.T) {
	p := compile(t, preprocessing.ForMode("tf", 32, 32, 3))
	dst := make([]float32, p.Elements())
	for format, whole := range encodings(t, 60, 50) {
		t.Run(string(format), func(t *testing.T) {
			if err := p.Into(t.Context(), whole, dst); err != nil {
				t.Fatal(err)
			}
			before := slices.Clone(dst)
			for _, part := range []float64{0, .01, .1, .3, .5, .7, .9} {
				cut := whole[:int(float64(len(whole))*part)]
				err := p.Into(t.Context(), cut, dst)
				if len(cut) == 0 {
					if r := reason(t, err); r != pipeline.Empty {
						t.Errorf("no bytes: %q", r)
					}
					continue
				}
				// A few bytes are not recognised as any format.
				if r := reason(t, err); r != pipeline.Truncated && !(len(cut) < 16 && r == pipeline.Unsupported) {
					t.Errorf("%d of %d bytes: %v", len(cut), len(whole), err)
				}
			}
			if !slices.Equal(before, dst) {
				t.Error("a refused image was written")
			}
		})
	}
}

func TestCorruptImages(t *testing.T) {
	p := compile(t, preprocessing.ForMode("tf", 32, 32, 3))
	dst := make([]float32, p.Elements())
	for format, whole := range encodings(t, 60, 50) {
		broken := slices.Clone(whole)
		switch format {
		case preprocessing.JPEG: // the coding tables
			at := bytes.Index(broken, []byte{0xff, 0xc4})
			clear(broken[at+4 : at+24])
		case preprocessing.PNG, preprocessing.GIF:
			clear(broken[len(broken)/2 : len(broken)-30])
		case preprocessing.WebP: // the frame's start code; its data has no checksum
			clear(broken[23:26])
		case preprocessing.BMP:
			binary.LittleEndian.PutUint16(broken[26:], 7) // planes
		}
		err := p.Into(t.Context(), broken, dst)
		if r := reason(t, err); r != pipeline.Corrupt && r != pipeline.Unsupported && r != pipeline.Truncated {
			t.Errorf("%s: %v", format, err)
		}
	}
	for name, b := range map[string][]byte{
		"text":  []byte("this is no image, whatever it is called"),
		"TIFF":  []byte("II*\x00\x08\x00\x00\x00 and so on and so forth"),
		"zeros": make([]byte, 4096),
	} {
		if r := reason(t, p.Into(t.Context(), b, dst)); r != pipeline.Unsupported {
			t.Errorf("%s: %q", name, r)
		}
	}
}

// bombs are headers that declare 30,000 × 30,000 pixels.
func bombs() map[string][]byte {
	const side = 30_000
	var ihdr []byte
	ihdr = append(ihdr, "IHDR"...)
	ihdr = binary.BigEndian.AppendUint32(ihdr, side)
	ihdr = binary.BigEndian.AppendUint32(ihdr, side)
	ihdr = append(ihdr, 8, 2, 0, 0, 0)
	pngBomb := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), ihdr...)
	pngBomb = binary.BigEndian.AppendUint32(pngBomb, crc32.ChecksumIEEE(ihdr))

	jpegBomb := []byte{0xff, 0xd8, 0xff, 0xc0, 0, 17, 8}
	jpegBomb = binary.BigEndian.AppendUint16(jpegBomb, side)
	jpegBomb = binary.BigEndian.AppendUint16(jpegBomb, side)
	jpegBomb = append(jpegBomb, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0)

	gifBomb := []byte("GIF89a")
	gifBomb = binary.LittleEndian.AppendUint16(gifBomb, side)
	gifBomb = binary.LittleEndian.AppendUint16(gifBomb, side)
	gifBomb = append(gifBomb, 0, 0, 0)

	bmpBomb := append([]byte("BM"), make([]byte, 8)...)
	bmpBomb = binary.LittleEndian.AppendUint32(bmpBomb, 54)
	bmpBomb = binary.LittleEndian.AppendUint32(bmpBomb, 40)
	bmpBomb = binary.LittleEndian.AppendUint32(bmpBomb, side)
	bmpBomb = binary.LittleEndian.AppendUint32(bmpBomb, side)
	bmpBomb = append(bmpBomb, 1, 0, 24, 0)
	bmpBomb = append(bmpBomb, make([]byte, 24)...)

	vp8l := uint32(16383) | uint32(16383)<<14 // the format's own limit
	webpBomb := []byte("RIFF\x20\x00\x00\x00WEBPVP8L\x14\x00\x00\x00\x2f")
	webpBomb = binary.LittleEndian.AppendUint32(webpBomb, vp8l)
	webpBomb = append(webpBomb, make([]byte, 16)...)
	return map[string][]byte{"png": pngBomb, "jpeg": jpegBomb, "gif": gifBomb, "bmp": bmpBomb, "webp": webpBomb}
}

func TestTooManyPixels(t *testing.T) {
	p := compile(t, preprocessing.ForMode("tf", 32, 32, 3))
	dst := make([]float32, p.Elements())
	for name, b := range bombs() {
		if r := reason(t, p.Into(t.Context(), b, dst)); r != pipeline.TooManyPixels {
			t.Errorf("%s: %q", name, r)
		}
	}

	narrow := preprocessing.ForMode("tf", 32, 32, 3)
	narrow.Steps[0].Decode.MaxPixels = 60 * 50
	bounded := compile(t, narrow)
	for format, b := range encodings(t, 60, 50) {
		if err := bounded.Into(t.Context(), b, dst); err != nil {
			t.Errorf("%s of just as many pixels as allowed: %v", format, err)
		}
	}
	for format, b := range encodings(t, 61, 50) {
		if format == preprocessing.WebP { // a smaller picture
			continue
		}
		if r := reason(t, bounded.Into(t.Context(), b, dst)); r != pipeline.TooManyPixels {
			t.Errorf("%s of a column too many: %q", format, r)
		}
	}
}

// A JPEG with thousands of scans is refused before any of them is decoded;
// JPEGs by real encoders are not.
func TestTooManyScans(t *testing.T) {
	p := compile(t, preprocessing.ForMode("tf", 32, 32, 3))
	dst := make([]float32, p.Elements())
	if r := reason(t, p.Into(t.Context(), jpegtest.Scans(8192, 6000), dst)); r != pipeline.TooCostly {
		t.Errorf("6,000 scans: %q", r)
	}
	if err := p.Into(t.Context(), jpegtest.Scans(100, 20), dst); err != nil {
		t.Errorf("20 scans: %v", err)
	}
	before := compileWith(t, installed{"any": func(_ context.Context, in preprocessing.Batch) (preprocessing.Batch, error) {
		t.Error("a plugin was given 6,000 scans")
		return in, nil
	}}, step("any", preprocessing.Gives{}), decodeStep, resizeStep, normal)
	if r := reason(t, before.Into(t.Context(), jpegtest.Scans(8192, 6000), make([]float32, before.Elements()))); r != pipeline.TooCostly {
		t.Errorf("6,000 scans for a plugin: %q", r)
	}
}

// An image within the limit is refused if resizing its shorter side would
// enlarge the longer one to 45 million pixels.
func TestStripGrowsTooLarge(t *testing.T) {
	p := compile(t, preprocessing.Preprocessing{Steps: []preprocessing.Step{
		{Decode: &preprocessing.Decode{Channels: 3, MaxPixels: 1 << 20}},
		{Resize: &preprocessing.Resize{Height: 224, Width: 224, Kernel: "bilinear", Keep: "shorter"}},
		{Crop: &preprocessing.Crop{Height: 224, Width: 224}},
		{Normalise: &preprocessing.Normalise{Mode: "none"}},
	}})
	dst := make([]float32, p.Elements())
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 900, 1))); err != nil {
		t.Fatal(err)
	}
	if r := reason(t, p.Into(t.Context(), b.Bytes(), dst)); r != pipeline.TooManyPixels {
		t.Errorf("a strip of 900×1: %q", r)
	}
}

func TestIntoRefusesAndObeys(t *testing.T) {
	p := compile(t, preprocessing.ForMode("tf", 32, 32, 3))
	b := encodings(t, 60, 50)
	if err := p.Into(t.Context(), b[preprocessing.JPEG], make([]float32, 7)); err == nil {
		t.Error("a destination of the wrong size was accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for format, encoded := range b {
		if err := p.Into(ctx, encoded, make([]float32, p.Elements())); !errors.Is(err, context.Canceled) {
			t.Errorf("%s under a cancelled context: %v", format, err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Into(t.Context(), b[preprocessing.JPEG], make([]float32, p.Elements())); !errors.Is(err, tensorflow.ErrClosed) {
		t.Errorf("a closed pipeline: %v", err)
	}
	if _, err := pipeline.Compile(preprocessing.Preprocessing{}); err == nil {
		t.Error("an empty description was compiled")
	}
}

func TestIntoConcurrently(t *testing.T) {
	d := preprocessing.ForMode("caffe", 32, 32, 3)
	d.Steps[0].Decode.JPEGScale, d.Steps[0].Decode.Orientation = true, true
	p := compile(t, d)
	var wg sync.WaitGroup
	for format, encoded := range encodings(t, 300, 250) {
		want := make([]float32, p.Elements())
		if err := p.Into(t.Context(), encoded, want); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			wg.Go(func() {
				got := make([]float32, p.Elements())
				for range 10 {
					clear(got)
					if err := p.Into(t.Context(), encoded, got); err != nil || !slices.Equal(got, want) {
						t.Errorf("%s: %v, or other values than alone", format, err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
}

// FuzzInto decodes arbitrary data: the result is an image or an ImageError.
func FuzzInto(f *testing.F) {
	for _, b := range encodings(f, 20, 17) {
		f.Add(b)
	}
	for _, b := range bombs() {
		f.Add(b)
	}
	d := preprocessing.ForMode("caffe", 8, 8, 3)
	d.Steps[0].Decode = &preprocessing.Decode{Channels: 3, MaxPixels: 1 << 16, JPEGScale: true, Orientation: true}
	p := compile(f, d)
	f.Fuzz(func(t *testing.T, encoded []byte) {
		defer fuzztest.Watch(t, len(encoded))()
		err := p.Into(t.Context(), encoded, make([]float32, p.Elements()))
		if err != nil {
			reason(t, err)
		}
	})
}
