package inference

import (
	"bytes"
	"errors"
	stdimage "image"
	"image/color"
	"image/gif"
	"image/png"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"

	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

// decode makes the pixels, uint8 [h, w, channels], of an image that Go's
// decoders read.
func decode(format preprocessing.Format, encoded []byte, w, h, channels int) (*tensorflow.Tensor, error) {
	m, err := decodeImage(format, encoded)
	if err != nil {
		return nil, err
	}
	px, err := tensorflow.NewTensor(tensorflow.Uint8, int64(h), int64(w), int64(channels))
	if err != nil {
		return nil, err
	}
	canvas := &canvas{px.Uint8(), w, h, channels}
	if frame := m.Bounds(); frame != stdimage.Rect(0, 0, w, h) {
		if format != preprocessing.GIF || !frame.In(stdimage.Rect(0, 0, w, h)) {
			px.Close()
			return nil, imageErrorf(Corrupt, "its header says %d×%d, its data %v", w, h, frame)
		}
		clear(canvas.pix) // the screen around the frame
	}
	canvas.draw(m)
	return px, nil
}

func decodeImage(format preprocessing.Format, encoded []byte) (m stdimage.Image, err error) {
	r := bytes.NewReader(encoded)
	switch format {
	case preprocessing.PNG:
		m, err = png.Decode(r)
		if e := png.UnsupportedError(""); errors.As(err, &e) {
			return nil, &ImageError{Unsupported, err}
		}
	case preprocessing.GIF:
		m, err = gif.Decode(r)
	case preprocessing.BMP:
		m, err = bmp.Decode(r)
		if errors.Is(err, bmp.ErrUnsupported) {
			return nil, &ImageError{Unsupported, err}
		}
	case preprocessing.WebP:
		if animated(encoded) {
			return nil, imageErrorf(Unsupported, "an animated WebP")
		}
		m, err = webp.Decode(r)
	default:
		return nil, imageErrorf(Unsupported, "%s", format)
	}
	if err != nil {
		return nil, bodyError(encoded, err)
	}
	return m, nil
}

// animated reads the flag in a WebP's extended header.
func animated(b []byte) bool {
	const flag = 0x02
	return len(b) > 20 && string(b[12:16]) == "VP8X" && b[20]&flag != 0
}

// canvas is the pixels to draw on.
type canvas struct {
	pix      []uint8
	w, h, ch int
}

// draw puts m at its place, without its transparency.
func (c *canvas) draw(m stdimage.Image) {
	switch m := m.(type) {
	case *stdimage.NRGBA:
		c.rows(m.Rect, func(x, y int) (r, g, b uint8) {
			p := m.Pix[m.PixOffset(x, y):]
			return p[0], p[1], p[2]
		})
	case *stdimage.RGBA: // only opaque images are of this type
		c.rows(m.Rect, func(x, y int) (r, g, b uint8) {
			p := m.Pix[m.PixOffset(x, y):]
			return p[0], p[1], p[2]
		})
	case *stdimage.Gray:
		c.rows(m.Rect, func(x, y int) (r, g, b uint8) {
			v := m.Pix[m.PixOffset(x, y)]
			return v, v, v
		})
	case *stdimage.Paletted:
		var palette [256]color.NRGBA
		for i, entry := range m.Palette {
			palette[i] = color.NRGBAModel.Convert(entry).(color.NRGBA)
		}
		c.rows(m.Rect, func(x, y int) (r, g, b uint8) {
			p := palette[m.Pix[m.PixOffset(x, y)]]
			return p.R, p.G, p.B
		})
	case *stdimage.NRGBA64:
		c.rows(m.Rect, func(x, y int) (r, g, b uint8) {
			p := m.Pix[m.PixOffset(x, y):]
			return p[0], p[2], p[4]
		})
	case *stdimage.YCbCr:
		c.video(m)
	case *stdimage.NYCbCrA:
		c.video(&m.YCbCr)
	default:
		c.rows(m.Bounds(), func(x, y int) (r, g, b uint8) {
			p := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
			return p.R, p.G, p.B
		})
	}
}

func (c *canvas) rows(at stdimage.Rectangle, pixel func(x, y int) (r, g, b uint8)) {
	for y := at.Min.Y; y < at.Max.Y; y++ {
		row := c.pix[(y*c.w+at.Min.X)*c.ch:]
		for x := at.Min.X; x < at.Max.X; x++ {
			r, g, b := pixel(x, y)
			if c.ch == 1 {
				row[0] = luma(r, g, b)
			} else {
				row[0], row[1], row[2] = r, g, b
			}
			row = row[c.ch:]
		}
	}
}

// luma is the Y of ITU-R BT.601 in full range, as JPEG stores it.
func luma(r, g, b uint8) uint8 {
	return uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}
