// Package digits carries a small dataset of real images: 1,797 handwritten
// digits of 8 × 8 pixels and 17 grey levels, the test set of "Optical
// Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak, UCI Machine
// Learning Repository, 1998, https://doi.org/10.24432/C50P49, licensed under
// CC BY 4.0. README.md says how it came here.
package digits

import (
	"bytes"
	"compress/bzip2"
	"context"
	_ "embed"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

const (
	// Count is the number of images.
	Count = 1797
	// Side is the height and the width of an image in pixels.
	Side = 8
	// White is the highest of the grey levels, which count from 0: how many
	// of the 16 scanned points that a pixel stands for are ink.
	White = 16
)

//go:embed digits.bin.bz2
var packed []byte

// Digit is one image.
type Digit struct {
	Label  int                // 0 to 9
	Pixels [Side * Side]uint8 // row by row from the top, 0 to White
}

// Load returns the images in the order of the original file.
func Load() ([]Digit, error) {
	// Labels first, then images: make.py states the layout.
	b, err := io.ReadAll(bzip2.NewReader(bytes.NewReader(packed)))
	if err != nil {
		return nil, fmt.Errorf("embedded digits: %w", err)
	}
	const pixels = Side * Side
	if len(b) != Count*(1+pixels) {
		return nil, fmt.Errorf("embedded digits: %d bytes instead of %d", len(b), Count*(1+pixels))
	}
	digits := make([]Digit, Count)
	for i := range digits {
		digits[i].Label = int(b[i])
		copy(digits[i].Pixels[:], b[Count+i*pixels:])
	}
	return digits, nil
}

// PNG is the image as a grey PNG of 8 × 8 pixels, ink white on black. The
// levels are spread over 0 to 255. The bytes are the same on every run, as
// they decide how a dataset is split.
func (d Digit) PNG() ([]byte, error) {
	grey := image.NewGray(image.Rect(0, 0, Side, Side))
	for i, level := range d.Pixels {
		grey.Pix[i] = uint8((int(level)*255 + White/2) / White)
	}
	var b bytes.Buffer
	// Compression would make the bytes depend on the compressor's version.
	encoder := png.Encoder{CompressionLevel: png.NoCompression}
	if err := encoder.Encode(&b, grey); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Write makes dir a dataset of the given digits, a folder of PNG files for
// each, such as dir/7/0123.png. The number is the image's index in the
// original file, counted from 0, so that names do not depend on which digits
// are asked for. Files that are there already are written again, others are
// left alone.
func Write(ctx context.Context, dir string, digits []int) error {
	for _, d := range digits {
		if d < 0 || d > 9 {
			return fmt.Errorf("%d is no digit: give some of 0 to 9", d)
		}
	}
	if len(digits) == 0 {
		return fmt.Errorf("no digits asked for: give some of 0 to 9")
	}
	all, err := Load()
	if err != nil {
		return err
	}
	for _, d := range digits {
		if err := os.MkdirAll(filepath.Join(dir, strconv.Itoa(d)), 0o755); err != nil {
			return err
		}
	}
	for i, d := range all {
		if !slices.Contains(digits, d.Label) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := d.PNG()
		if err != nil {
			return fmt.Errorf("digit %d: %w", i, err)
		}
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(d.Label), fmt.Sprintf("%04d.png", i)), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
