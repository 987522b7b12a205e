package raster

import (
	"fmt"
	"image"
	"image/color"

	"tkit/internal/preprocessing"
)

// Floats draws a deep image that fits, with all its bits: a sample of 2^bits −
// 1 becomes 255 and smaller ones proportional values. A greater sample is an
// error that wraps preprocessing.ErrVariant. pix has the canvas's size.
func (c Canvas) Floats(m image.Image, bits int, pix []float32) error {
	most := uint16(1<<bits - 1)
	scale := 255 / float32(most)
	pixel := deepPixel(m)
	bounds := m.Bounds()
	for y := range c.Height {
		for x := range c.Width {
			p := pixel(bounds.Min.X+x, bounds.Min.Y+y)
			if greatest := max(p.R, p.G, p.B); greatest > most {
				return fmt.Errorf("a sample of %d, but the maximum of %d bits is %d: %w", greatest, bits, most, preprocessing.ErrVariant)
			}
			row := pix[(y*c.Width+x)*c.Channels:][:c.Channels]
			if c.Channels == 1 {
				row[0] = (lumaRed*float32(p.R) + lumaGreen*float32(p.G) + lumaBlue*float32(p.B)) / (1 << 16) * scale
			} else {
				row[0], row[1], row[2] = float32(p.R)*scale, float32(p.G)*scale, float32(p.B)*scale
			}
			if p.A < 1<<16-1 && c.Background != nil {
				a := float32(p.A) / (1<<16 - 1)
				for i, b := range c.Background {
					row[i] = row[i]*a + float32(b)*(1-a)
				}
			}
		}
	}
	return nil
}

// deepPixel returns a function that reads the pixels of a deep image.
func deepPixel(m image.Image) func(x, y int) color.NRGBA64 {
	switch m := m.(type) {
	case *image.Gray16:
		return func(x, y int) color.NRGBA64 {
			v := m.Gray16At(x, y).Y
			return color.NRGBA64{v, v, v, 1<<16 - 1}
		}
	case *image.RGBA64: // only opaque images have this type
		return func(x, y int) color.NRGBA64 {
			p := m.RGBA64At(x, y)
			return color.NRGBA64{p.R, p.G, p.B, 1<<16 - 1}
		}
	case *image.NRGBA64:
		return m.NRGBA64At
	}
	panic(fmt.Sprintf("raster: %T does not have 16 bits per sample", m))
}
