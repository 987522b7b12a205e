package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/draw"
)

// change is a modification of an image that occurs a second time in a dataset.
type change struct {
	name string
	make func(m image.Image) ([]byte, error)
	// target is the minimal proportion of changed images to be found, 0 if the
	// figure is for information.
	target float64
}

// ofPhotographs are the changes tried on photographs, ofScans those on scans of
// 8×8 pixels.
var (
	ofPhotographs = []change{
		{"JPEG at quality 95", encoded(95), 0.99},
		{"JPEG at quality 75", encoded(75), 0.99},
		{"JPEG at quality 50", encoded(50), 0.99},
		{"JPEG at quality 20", encoded(20), 0.99},
		{"scaled to half size", scaled(0.5, encoded(90)), 0.99},
		{"scaled to a quarter of the size", scaled(0.25, encoded(90)), 0.99},
		{"scaled to double size", scaled(2, encoded(90)), 0.99},
		{"trimmed by 1 %", trimmed(0.01), 0.99},
		{"trimmed by 2 %", trimmed(0.02), 0.99},
		{"trimmed by 5 %", trimmed(0.05), 0.5},
		{"trimmed by 10 %", trimmed(0.1), 0},
		{"20 % darker", lit(0.8), 0.99},
		{"20 % brighter, clipped", lit(1.2), 0.9},
	}
	ofScans = []change{
		{"JPEG at quality 90", encoded(90), 0.9},
		{"JPEG at quality 75", encoded(75), 0},
		{"scaled to double size", scaled(2, lossless), 0},
		{"scaled to four times the size", scaled(4, lossless), 0},
		{"20 % darker", lit(0.8), 0.9},
	}
)

func encoded(quality int) func(image.Image) ([]byte, error) {
	return func(m image.Image) ([]byte, error) {
		var b bytes.Buffer
		err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality})
		return b.Bytes(), err
	}
}

func lossless(m image.Image) ([]byte, error) {
	var b bytes.Buffer
	err := png.Encode(&b, m)
	return b.Bytes(), err
}

func scaled(factor float64, then func(image.Image) ([]byte, error)) func(image.Image) ([]byte, error) {
	return func(m image.Image) ([]byte, error) {
		size := m.Bounds().Size()
		out := image.NewRGBA(image.Rect(0, 0, int(float64(size.X)*factor+.5), int(float64(size.Y)*factor+.5)))
		draw.CatmullRom.Scale(out, out.Bounds(), m, m.Bounds(), draw.Src, nil)
		return then(out)
	}
}

// trimmed removes a proportion of the width and the height, half of it on each
// side.
func trimmed(part float64) func(image.Image) ([]byte, error) {
	return func(m image.Image) ([]byte, error) {
		b := m.Bounds()
		dx, dy := int(float64(b.Dx())*part), int(float64(b.Dy())*part)
		out := image.NewRGBA(image.Rect(0, 0, b.Dx()-dx, b.Dy()-dy))
		draw.Copy(out, image.Point{}, m, out.Bounds().Add(b.Min).Add(image.Pt(dx/2, dy/2)), draw.Src, nil)
		return encoded(90)(out)
	}
}

// lit multiplies all samples and clips the results.
func lit(gain float64) func(image.Image) ([]byte, error) {
	return func(m image.Image) ([]byte, error) {
		out := image.NewRGBA(m.Bounds())
		draw.Copy(out, out.Rect.Min, m, m.Bounds(), draw.Src, nil)
		level := func(v uint8) uint8 { return uint8(min(255, float64(v)*gain)) }
		for y := out.Rect.Min.Y; y < out.Rect.Max.Y; y++ {
			for x := out.Rect.Min.X; x < out.Rect.Max.X; x++ {
				c := out.RGBAAt(x, y)
				out.SetRGBA(x, y, color.RGBA{level(c.R), level(c.G), level(c.B), 255})
			}
		}
		return encoded(90)(out)
	}
}
