package pipeline

import (
	stdimage "image"

	"tkit/internal/preprocessing"
	"tkit/internal/raster"
	"tkit/internal/tensorflow"
)

// decode returns the pixels, [h, w, channels], of an image decoded by Go's
// decoders: uint8, or float32 for a deep image if the step sets the number of
// bits of its samples.
func decode(format preprocessing.Format, encoded []byte, w, h int, d preprocessing.Decode) (*tensorflow.Tensor, error) {
	m, err := raster.Decode(format, encoded)
	if err != nil {
		return nil, faultOf(err)
	}
	canvas := raster.Canvas{Width: w, Height: h, Channels: d.Channels}
	for _, level := range d.Background {
		canvas.Background = append(canvas.Background, uint8(level))
	}
	if err := canvas.Fits(format, m); err != nil {
		return nil, faultOf(err)
	}
	if d.Bits > 0 && raster.Deep(m) {
		return drawDeep(canvas, m, d.Bits)
	}
	px, err := tensorflow.NewTensor(tensorflow.Uint8, int64(h), int64(w), int64(d.Channels))
	if err != nil {
		return nil, err
	}
	canvas.Bytes(m, px.Uint8())
	return px, nil
}

func drawDeep(c raster.Canvas, m stdimage.Image, bits int) (*tensorflow.Tensor, error) {
	px, err := tensorflow.NewTensor(tensorflow.Float32, int64(c.Height), int64(c.Width), int64(c.Channels))
	if err != nil {
		return nil, err
	}
	if err := c.Floats(m, bits, px.Float32()); err != nil {
		px.Close()
		return nil, faultOf(err)
	}
	return px, nil
}
