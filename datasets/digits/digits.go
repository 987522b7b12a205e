// Package digits embeds a small dataset of real images: 1,797 handwritten
// digits of 8 × 8 pixels and 17 grey levels, the test set of "Optical
// Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak, UCI Machine
// Learning Repository, 1998, https://doi.org/10.24432/C50P49, licensed under CC
// BY 4.0. README.md describes its origin.
package digits

import (
	"bytes"
	"compress/bzip2"
	_ "embed"
	"fmt"
	"image"
	"image/png"
	"io"
	"sync"
)

const (
	// Count is the number of images.
	Count = 1797
	// Side is the height and the width of an image in pixels.
	Side = 8
	// White is the highest grey level, counted from 0: the number of the 16
	// scanned points of a pixel that are ink.
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
	// Labels first, then images, as written by make.py.
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

// PNG returns the image as a grey PNG of 8 × 8 pixels, white ink on black, with
// the levels scaled to 0 to 255. The bytes are the same on every run, because
// they decide how a dataset is split.
func (d Digit) PNG() ([]byte, error) {
	grey := image.NewGray(image.Rect(0, 0, Side, Side))
	for i, level := range d.Pixels {
		grey.Pix[i] = uint8((int(level)*255 + White/2) / White)
	}
	var b bytes.Buffer
	// Compression would make the bytes depend on the compressor's version.
	encoder := png.Encoder{CompressionLevel: png.NoCompression, BufferPool: &encoderBuffers}
	if err := encoder.Encode(&b, grey); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// bufferPool holds buffers of encoders. Allocating them, almost 1 MB each, takes much
// longer than encoding a digit.
type bufferPool struct{ sync.Pool }

var encoderBuffers bufferPool

// Get implements png.EncoderBufferPool.
func (p *bufferPool) Get() *png.EncoderBuffer {
	b, _ := p.Pool.Get().(*png.EncoderBuffer)
	return b
}

// Put implements png.EncoderBufferPool.
func (p *bufferPool) Put(b *png.EncoderBuffer) { p.Pool.Put(b) }
