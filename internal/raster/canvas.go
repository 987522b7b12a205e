package raster

import (
	"fmt"
	"image"
	"image/color"

	"tkit/internal/preprocessing"
)

// Canvas is the layout of pixels, row by row and sample by sample, and the
// treatment of transparency.
type Canvas struct {
	Width, Height int
	Channels      int // 1 or 3
	// Background is one level per channel onto which transparent pixels are
	// blended, and which fills the area that no frame covers. If empty,
	// transparency is dropped and the uncovered area is black.
	Background []uint8
}

// Fits checks that an image has the canvas's size, or is a frame of a GIF
// inside it.
func (c Canvas) Fits(format preprocessing.Format, m image.Image) error {
	screen, frame := image.Rect(0, 0, c.Width, c.Height), m.Bounds()
	if frame == screen || format == preprocessing.GIF && frame.In(screen) {
		return nil
	}
	return fmt.Errorf("its header says %d×%d, its data %v: %w", c.Width, c.Height, frame, preprocessing.ErrCorrupt)
}

// Bytes draws an image that fits, with 8 bits per sample. Of 16 bits it keeps
// the upper 8. pix has the canvas's size and arbitrary content.
func (c Canvas) Bytes(m image.Image, pix []uint8) {
	if m.Bounds() != image.Rect(0, 0, c.Width, c.Height) {
		c.fill(pix)
	}
	d := drawing{c, pix}
	switch m := m.(type) {
	case *image.NRGBA:
		d.rows(m.Rect, func(x, y int) color.NRGBA {
			p := m.Pix[m.PixOffset(x, y):]
			return color.NRGBA{p[0], p[1], p[2], p[3]}
		})
	case *image.RGBA: // only opaque images have this type
		d.rows(m.Rect, func(x, y int) color.NRGBA {
			p := m.Pix[m.PixOffset(x, y):]
			return color.NRGBA{p[0], p[1], p[2], 255}
		})
	case *image.Gray:
		d.rows(m.Rect, func(x, y int) color.NRGBA {
			v := m.Pix[m.PixOffset(x, y)]
			return color.NRGBA{v, v, v, 255}
		})
	case *image.Paletted:
		var palette [256]color.NRGBA
		for i, entry := range m.Palette {
			palette[i] = color.NRGBAModel.Convert(entry).(color.NRGBA)
		}
		d.rows(m.Rect, func(x, y int) color.NRGBA { return palette[m.Pix[m.PixOffset(x, y)]] })
	case *image.NRGBA64:
		d.rows(m.Rect, func(x, y int) color.NRGBA {
			p := m.Pix[m.PixOffset(x, y):]
			return color.NRGBA{p[0], p[2], p[4], p[6]}
		})
	case *image.YCbCr:
		d.video(m)
	case *image.NYCbCrA:
		d.video(&m.YCbCr)
		d.blend(m)
	default:
		d.rows(m.Bounds(), func(x, y int) color.NRGBA { return color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA) })
	}
}

// fill fills the canvas with its background.
func (c Canvas) fill(pix []uint8) {
	clear(pix)
	if c.Background == nil {
		return
	}
	for ; len(pix) > 0; pix = pix[c.Channels:] {
		copy(pix, c.Background)
	}
}

// drawing is a canvas and its pixels.
type drawing struct {
	Canvas
	pix []uint8
}

func (d *drawing) rows(at image.Rectangle, pixel func(x, y int) color.NRGBA) {
	for y := at.Min.Y; y < at.Max.Y; y++ {
		row := d.pix[(y*d.Width+at.Min.X)*d.Channels:]
		for x := at.Min.X; x < at.Max.X; x++ {
			p := pixel(x, y)
			if d.Channels == 1 {
				row[0] = luma(p.R, p.G, p.B)
			} else {
				row[0], row[1], row[2] = p.R, p.G, p.B
			}
			if p.A < 255 && d.Background != nil {
				d.over(row, p.A)
			}
			row = row[d.Channels:]
		}
	}
}

// blend blends the drawn image onto the background by the image's alpha.
func (d *drawing) blend(m *image.NYCbCrA) {
	if d.Background == nil {
		return
	}
	for y := range d.Height {
		for x := range d.Width {
			if a := m.A[m.AOffset(m.Rect.Min.X+x, m.Rect.Min.Y+y)]; a < 255 {
				d.over(d.pix[(y*d.Width+x)*d.Channels:], a)
			}
		}
	}
}

// over blends the pixel at the beginning of row, with that alpha, onto the
// background.
func (d *drawing) over(row []uint8, alpha uint8) {
	a := uint32(alpha)
	for i, b := range d.Background {
		row[i] = uint8((uint32(row[i])*a + uint32(b)*(255-a) + 127) / 255)
	}
}

// luma is the Y of ITU-R BT.601 in full range, as JPEG stores it.
func luma(r, g, b uint8) uint8 {
	return uint8((lumaRed*uint32(r) + lumaGreen*uint32(g) + lumaBlue*uint32(b) + 1<<15) >> 16)
}

// The weights of luma × 2¹⁶.
const (
	lumaRed   = 19595
	lumaGreen = 38470
	lumaBlue  = 7471
)
