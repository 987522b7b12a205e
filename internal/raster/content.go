package raster

import (
	"image"
	"image/color"
)

// Content describes pixels beyond 8 bits of opaque colour.
type Content struct {
	// Greatest is the greatest sample of an image with 16 bits per sample, else
	// 0.
	Greatest uint16
	// Transparent means that a pixel is not opaque.
	Transparent bool
	// Shape means that the picture is only in the alpha channel: the colour is
	// uniform, and Light if it is nearer to white than to black.
	Shape, Light bool
}

// ContentOf measures an image returned by Decode.
func ContentOf(m image.Image) Content {
	var seen extent
	switch m := m.(type) {
	case *image.Paletted:
		seen = extentOfPalette(m)
	case *image.NRGBA:
		seen = extentOf(m.Rect, func(x, y int) color.NRGBA64 {
			p := m.Pix[m.PixOffset(x, y):]
			return color.NRGBA64{wide(p[0]), wide(p[1]), wide(p[2]), wide(p[3])}
		})
	case *image.NYCbCrA:
		// Luma and chroma are uniform if the colour is.
		seen = extentOf(m.Rect, func(x, y int) color.NRGBA64 {
			c := m.COffset(x, y)
			return color.NRGBA64{wide(m.Y[m.YOffset(x, y)]), wide(m.Cb[c]), wide(m.Cr[c]), wide(m.A[m.AOffset(x, y)])}
		})
		seen.light = seen.low.R > half
	default:
		if !Deep(m) {
			return Content{}
		}
		seen = extentOf(m.Bounds(), deepPixel(m))
	}
	c := Content{Transparent: seen.low.A < full, Shape: seen.shape()}
	c.Light = c.Shape && seen.light
	if Deep(m) {
		c.Greatest = max(seen.high.R, seen.high.G, seen.high.B)
	}
	return c
}

const (
	full = 1<<16 - 1
	half = full / 2
)

// wide converts an 8-bit sample to 16 bits.
func wide(v uint8) uint16 { return uint16(v) * 257 }

// extent is the least and the greatest sample of each channel.
type extent struct {
	low, high color.NRGBA64
	light     bool // the minimum is nearer to white
}

func extentOf(at image.Rectangle, pixel func(x, y int) color.NRGBA64) extent {
	e := extent{low: color.NRGBA64{full, full, full, full}}
	for y := at.Min.Y; y < at.Max.Y; y++ {
		for x := at.Min.X; x < at.Max.X; x++ {
			e.add(pixel(x, y))
		}
	}
	e.light = (int(e.low.R)+int(e.low.G)+int(e.low.B))/3 > half
	return e
}

// extentOfPalette covers only colours that are used.
func extentOfPalette(m *image.Paletted) extent {
	var used [256]bool
	for y := m.Rect.Min.Y; y < m.Rect.Max.Y; y++ {
		for _, i := range m.Pix[m.PixOffset(m.Rect.Min.X, y):][:m.Rect.Dx()] {
			used[i] = true
		}
	}
	var colours []color.NRGBA64
	for i, c := range m.Palette {
		if used[i] {
			colours = append(colours, color.NRGBA64Model.Convert(c).(color.NRGBA64))
		}
	}
	return extentOf(image.Rect(0, 0, len(colours), 1), func(x, _ int) color.NRGBA64 { return colours[x] })
}

func (e *extent) add(p color.NRGBA64) {
	e.low = color.NRGBA64{min(e.low.R, p.R), min(e.low.G, p.G), min(e.low.B, p.B), min(e.low.A, p.A)}
	e.high = color.NRGBA64{max(e.high.R, p.R), max(e.high.G, p.G), max(e.high.B, p.B), max(e.high.A, p.A)}
}

// shape reports whether the alpha varies and the colour does not, except for
// the noise of a lossy encoder.
func (e *extent) shape() bool {
	const same, varied = 16 * 257, 64 * 257
	return e.high.R-e.low.R <= same && e.high.G-e.low.G <= same && e.high.B-e.low.B <= same && e.high.A-e.low.A >= varied
}
