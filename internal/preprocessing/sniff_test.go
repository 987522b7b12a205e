package preprocessing

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/webp"

	"tkit/internal/fuzztest"
)

// images returns the fixtures by name, all of 19 × 11 pixels.
func images(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]byte)
	for _, file := range files {
		if filepath.Ext(file) == ".py" {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(file)] = b
	}
	if len(all) < 20 {
		t.Fatalf("only %d fixtures", len(all))
	}
	return all
}

func formatByExtension(name string) Format {
	switch f := Format(strings.TrimPrefix(filepath.Ext(name), ".")); f {
	case "jpg":
		return JPEG
	default:
		return f
	}
}

func TestSniff(t *testing.T) {
	for name, b := range images(t) {
		format, w, h, err := Sniff(b)
		if err != nil || format != formatByExtension(name) || w != 19 || h != 11 {
			t.Errorf("%s: got %s %d×%d, %v", name, format, w, h, err)
		}
		if err := Check(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := Check(append(bytes.Clone(b), "appended by a camera"...)); err != nil {
			t.Errorf("%s with bytes after its end: %v", name, err)
		}
		// Go's packages agree, if they support the variant.
		if config, _, err := image.DecodeConfig(bytes.NewReader(b)); err == nil && (config.Width != w || config.Height != h) {
			t.Errorf("%s: Go has %d×%d", name, config.Width, config.Height)
		}
	}
}

// A file cut anywhere is detected, and a complete header can be read.
func TestTruncated(t *testing.T) {
	for name, b := range images(t) {
		known := false
		for n := range b {
			if n > 4096 && n < len(b)-4096 { // inside the long metadata nothing changes
				continue
			}
			if err := Check(b[:n]); err == nil {
				t.Errorf("%s cut to %d of %d bytes counts as complete", name, n, len(b))
				break
			}
			format, w, h, err := Sniff(b[:n])
			switch {
			case err == nil && (w != 19 || h != 11):
				t.Fatalf("%s cut to %d bytes: %d×%d", name, n, w, h)
			case err == nil:
				known = true
			case known:
				t.Fatalf("%s cut to %d bytes: %v, and a shorter cut was read", name, n, err)
			case format != "" && !errors.Is(err, ErrTruncated):
				t.Fatalf("%s cut to %d bytes: %v", name, n, err)
			}
		}
		if !known {
			t.Errorf("%s: no proper prefix was read", name)
		}
	}
}

// The check detects what Go's decoder detects by decoding.
func TestTruncatedAsDecoded(t *testing.T) {
	for _, name := range []string{"baseline.jpg", "rgb.png", "still.gif", "lossless.webp", "rgb.bmp"} {
		b := images(t)[name]
		cut := b[:len(b)*3/4]
		if _, _, err := image.Decode(bytes.NewReader(cut)); err == nil {
			t.Errorf("%s: Go decodes the cut file", name)
		}
		if err := Check(cut); !errors.Is(err, ErrTruncated) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSniffRefuses(t *testing.T) {
	files := images(t)
	edit := func(name string, at int, with ...byte) []byte {
		b := bytes.Clone(files[name])
		copy(b[at:], with)
		return b
	}
	frame := bytes.Index(files["baseline.jpg"], []byte{0xff, 0xc0})
	for _, c := range []struct {
		name string
		b    []byte
		want error
		text string
	}{
		{"nothing", nil, ErrEmpty, ""},
		{"text", []byte("hello"), ErrUnsupported, ""},
		{"BM text", []byte("BMW and other makers of cars, in a text"), ErrUnsupported, ""},
		{"RIFF audio", []byte("RIFF\x10\x00\x00\x00WAVEfmt "), ErrUnsupported, ""},
		{"TIFF", []byte("II*\x00\x08\x00\x00\x00"), ErrUnsupported, "TIFF"},
		{"HEIC", []byte("\x00\x00\x00\x18ftypheic\x00\x00"), ErrUnsupported, "HEIC"},
		{"AVIF", []byte("\x00\x00\x00\x18ftypavif\x00\x00"), ErrUnsupported, "AVIF"},
		{"MP4", []byte("\x00\x00\x00\x18ftypisom\x00\x00"), ErrUnsupported, "video"},
		{"DICOM", append(make([]byte, 128), "DICM"...), ErrUnsupported, "DICOM"},
		{"HTML", []byte("<!DOCTYPE html>"), ErrUnsupported, "HTML"},
		{"LFS", []byte("version https://git-lfs.github.com/spec/v1"), ErrUnsupported, "Git LFS"},
		{"JPEG of no height", edit("baseline.jpg", frame+5, 0, 0), ErrCorrupt, "0 pixels"},
		{"JPEG without a frame", edit("baseline.jpg", frame, 0xff, 0xe5), ErrCorrupt, "no frame header"},
		{"JPEG with a tiny frame", edit("baseline.jpg", frame+2, 0, 3), ErrCorrupt, "frame header"},
		{"JPEG with a segment of 1", edit("baseline.jpg", 4, 0, 1), ErrCorrupt, "shorter"},
		{"JPEG of markers only", []byte{0xff, 0xd8, 0xff, 0xd9}, ErrCorrupt, "no frame header"},
		{"JPEG of fill bytes", append([]byte{0xff, 0xd8}, bytes.Repeat([]byte{0xff}, 100)...), ErrTruncated, ""},
		{"PNG without IHDR", edit("rgb.png", 12, 'I', 'D', 'A', 'T'), ErrCorrupt, "IHDR"},
		{"PNG of no width", edit("rgb.png", 16, 0, 0, 0, 0), ErrCorrupt, "0×11"},
		{"PNG of 2³² − 1", edit("rgb.png", 16, 0xff, 0xff, 0xff, 0xff), ErrCorrupt, "2³¹"},
		{"GIF of no height", edit("still.gif", 8, 0, 0), ErrCorrupt, "19×0"},
		{"BMP of no width", edit("rgb.bmp", 18, 0, 0, 0, 0), ErrCorrupt, "0×11"},
		{"BMP of negative width", edit("rgb.bmp", 18, 0xff, 0xff, 0xff, 0xff), ErrCorrupt, "-1×11"},
		{"BMP of the lowest height", edit("rgb.bmp", 22, 0, 0, 0, 0x80), ErrCorrupt, "2³¹"},
		{"WebP without an image", edit("lossy.webp", 12, 'J', 'U', 'N', 'K'), ErrTruncated, ""},
		{"WebP without a key frame", edit("lossy.webp", 20, 1), ErrCorrupt, "key frame"},
		{"WebP lossless unsigned", edit("lossless.webp", 20, 0), ErrCorrupt, "signature"},
		{"WebP with a small canvas", edit("extended.webp", 24, 0, 0, 0, 0, 0, 0), ErrCorrupt, "canvas of 1×1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, w, h, err := Sniff(c.b)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || w != 0 || h != 0 {
				t.Errorf("got %d×%d, %v", w, h, err)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	files := images(t)
	edit := func(name string, at int, with ...byte) []byte {
		b := bytes.Clone(files[name])
		copy(b[at:], with)
		return b
	}
	noScan := append(bytes.Clone(files["baseline.jpg"][:bytes.Index(files["baseline.jpg"], []byte{0xff, 0xda})]), 0xff, 0xd9)
	huge := binary.LittleEndian.AppendUint32(nil, 1<<31-1)
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, ErrEmpty},
		{"text", []byte("hello"), ErrUnsupported},
		{"JPEG without a scan", noScan, ErrTruncated},
		{"JPEG without its end", files["baseline.jpg"][:len(files["baseline.jpg"])-2], ErrTruncated},
		{"PNG chunk of 4 GB", edit("rgb.png", 33, 0xff, 0xff, 0xff, 0xff), ErrCorrupt},
		{"PNG chunk of 2 GB", edit("rgb.png", 33, 0x7f, 0xff, 0xff, 0xff), ErrTruncated},
		{"GIF with an unknown block", edit("still.gif", 13+colourTable(files["still.gif"][10]), 0x99), ErrCorrupt},
		{"BMP of 2 billion lines", edit("rgb.bmp", 22, huge...), ErrTruncated},
		{"BMP of 2 billion columns", edit("rgb.bmp", 18, huge...), ErrTruncated},
		{"BMP whose pixels begin late", edit("rgb.bmp", 10, 0xff, 0xff, 0xff, 0xff), ErrTruncated},
		{"compressed BMP cut short", edit("rgb.bmp", 30, 1, 0, 0, 0, 0, 0, 1), ErrTruncated},
		{"WebP that declares more", edit("lossy.webp", 4, 0, 1, 0, 0), ErrTruncated},
	} {
		if err := Check(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzSniff(f *testing.F) {
	for _, b := range images(f) {
		if len(b) < 4096 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		format, w, h, err := Sniff(b)
		if err == nil && (w <= 0 || h <= 0 || format == "") {
			t.Fatalf("%s of %d×%d without an error", format, w, h)
		}
		complete := Check(b)
		if complete == nil && format == "" {
			t.Fatal("complete, but without a format")
		}
		if err == nil && int64(w)*int64(h) > 1<<20 {
			return
		}
		// What Go's decoders accept is accepted here, with the same size:
		// exactly for PNG and WebP. The others are more lenient about the end.
		img, kind, decodeErr := image.Decode(bytes.NewReader(b))
		if decodeErr != nil || img.Bounds().Empty() {
			return
		}
		if err != nil && kind != "jpeg" {
			t.Fatalf("Go decodes a %s that is refused: %v", kind, err)
		}
		if err == nil && kind != "gif" && img.Bounds().Size() != image.Pt(w, h) {
			t.Fatalf("%s: Go has %v, here %d×%d", kind, img.Bounds().Size(), w, h)
		}
		if err == nil && kind == "gif" && (img.Bounds().Max.X > w || img.Bounds().Max.Y > h) {
			t.Fatalf("a frame of %v on a screen of %d×%d", img.Bounds(), w, h)
		}
		if complete != nil && kind == "png" {
			t.Fatalf("Go decodes a %s that is called incomplete: %v", kind, complete)
		}
	})
}
