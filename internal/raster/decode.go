// Package raster decodes images other than JPEGs with decoders written in Go,
// lays out their pixels for a network, and measures what they contain beyond 8
// bits of opaque colour.
package raster

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/png"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"

	"tkit/internal/preprocessing"
)

// Decode decodes a PNG, the first frame of a GIF, a BMP or a WebP. The caller
// has bounded the size in pixels. The error wraps preprocessing's ErrVariant,
// ErrTruncated or ErrCorrupt.
func Decode(format preprocessing.Format, encoded []byte) (m image.Image, err error) {
	r := bytes.NewReader(encoded)
	unsupported := false
	switch format {
	case preprocessing.PNG:
		m, err = png.Decode(r)
		e := png.UnsupportedError("")
		unsupported = errors.As(err, &e)
	case preprocessing.GIF:
		m, err = gif.Decode(r)
	case preprocessing.BMP:
		m, err = bmp.Decode(r)
		unsupported = errors.Is(err, bmp.ErrUnsupported)
	case preprocessing.WebP:
		if preprocessing.DetailsOf(encoded).Animated {
			return nil, fmt.Errorf("an animated WebP: %w", preprocessing.ErrVariant)
		}
		m, err = webp.Decode(r)
	default:
		return nil, fmt.Errorf("%s: %w", format, preprocessing.ErrVariant)
	}
	switch {
	case err == nil:
		return m, nil
	case unsupported:
		return nil, fmt.Errorf("%w: %w", err, preprocessing.ErrVariant)
	case errors.Is(preprocessing.Check(encoded), preprocessing.ErrTruncated):
		return nil, fmt.Errorf("%w: %w", err, preprocessing.ErrTruncated)
	}
	return nil, fmt.Errorf("%w: %w", err, preprocessing.ErrCorrupt)
}

// Deep reports whether an image has 16 bits per sample.
func Deep(m image.Image) bool {
	switch m.(type) {
	case *image.Gray16, *image.RGBA64, *image.NRGBA64:
		return true
	}
	return false
}
