package pipeline

import (
	"context"
	"errors"
	"fmt"

	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

// Into preprocesses one image into dst, which has Elements elements: views ×
// height × width × channels. The error is an *ImageError if the image, or a
// plugin's result for it, is at fault; dst is then unchanged.
func (p *Pipeline) Into(ctx context.Context, encoded []byte, dst []float32) error {
	if len(dst) != p.Elements() {
		return fmt.Errorf("pipeline: an image takes %d×%d×%d×%d elements, given %d", p.views, p.height, p.width, p.channels, len(dst))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &run{Pipeline: p, ctx: ctx}
	defer w.close()
	if err := w.process(encoded); err != nil {
		return err
	}
	if len(p.after) == 0 {
		normalise(p.plan.normalise, dst, w.floats())
		return nil
	}
	normalised := make([]float32, len(w.floats()))
	normalise(p.plan.normalise, normalised, w.floats())
	w.image.Kind, w.image.Float32, w.image.Uint8 = preprocessing.Float32, normalised, nil
	for _, s := range p.after {
		if err := w.ask(s); err != nil {
			return err
		}
	}
	copy(dst, w.image.Float32)
	return nil
}

// run is one image being processed by a pipeline.
type run struct {
	*Pipeline
	ctx   context.Context
	image preprocessing.Batch // encoded, then pixels, finally one for each view
	held  []*tensorflow.Tensor
}

// close frees the tensors. A plugin may have returned its input, so none is
// freed before the end.
func (w *run) close() {
	for _, t := range w.held {
		t.Close()
	}
}

// process runs the steps before the normalise step.
func (w *run) process(encoded []byte) error {
	w.image = preprocessing.Batch{Kind: preprocessing.Encoded, Count: 1, Encoded: [][]byte{encoded}}
	if len(w.before) > 0 { // plugins take any file, but their decoders are no faster
		if err := preprocessing.Check(encoded); errors.Is(err, preprocessing.ErrTooCostly) {
			return faultOf(err)
		}
	}
	for _, s := range w.before {
		if err := w.ask(s); err != nil {
			return err
		}
	}
	var err error
	if w.plan.decode != nil {
		err = w.decode(w.image.Encoded[0])
	} else {
		err = w.compute(w.branches[1].rest, w.plan.first.steps)
	}
	for i, s := range w.between {
		if err == nil {
			err = w.ask(s)
		}
		if err == nil {
			err = w.compute(w.pieces[i], w.plan.then[i].steps)
		}
	}
	return err
}

// ask calls a plugin for its step.
func (w *run) ask(s *pluginStep) (err error) {
	w.image, err = s.run(w.ctx, w.image)
	return err
}

// compute passes pixels through a piece of the graph.
func (w *run) compute(piece *tensorflow.Step, steps []preprocessing.Step) error {
	if len(steps) == 0 {
		return nil
	}
	height, width := int64(w.image.Shape[0]), int64(w.image.Shape[1])
	if err := limitSize(width, height, steps, w.description.Decoding().Bound()); err != nil {
		return err
	}
	px, err := w.tensor()
	if err != nil {
		return err
	}
	defer px.Close()
	out, err := piece.Run(w.ctx, px)
	if err != nil {
		return err
	}
	w.hold(out[0])
	return nil
}

// tensor copies the image into a tensor, [height, width, channels].
func (w *run) tensor() (*tensorflow.Tensor, error) {
	shape := make([]int64, 3)
	for i, side := range w.image.Shape {
		shape[i] = int64(side)
	}
	if w.image.Kind == preprocessing.Uint8 {
		return tensorflow.FromUint8(shape, w.image.Uint8)
	}
	return tensorflow.FromFloat32(shape, w.image.Float32)
}

// hold makes a result [views, height, width, channels] the current image.
func (w *run) hold(t *tensorflow.Tensor) {
	w.held = append(w.held, t)
	shape := t.Shape()
	w.image = preprocessing.Batch{Count: int(shape[0]), Shape: [3]int{int(shape[1]), int(shape[2]), int(shape[3])}}
	if t.DataType() == tensorflow.Uint8 {
		w.image.Kind, w.image.Uint8 = preprocessing.Uint8, t.Uint8()
	} else {
		w.image.Kind, w.image.Float32 = preprocessing.Float32, t.Float32()
	}
}

// floats returns the image's values.
func (w *run) floats() []float32 {
	if w.image.Kind == preprocessing.Float32 {
		return w.image.Float32
	}
	values := make([]float32, len(w.image.Uint8))
	for i, v := range w.image.Uint8 {
		values[i] = float32(v)
	}
	return values
}

// decode passes encoded bytes through the decoder and the first piece.
func (w *run) decode(encoded []byte) error {
	format, width, height, err := preprocessing.Sniff(encoded)
	if err != nil {
		return faultOf(err)
	}
	oriented := preprocessing.Upright
	if w.plan.decode.Orientation {
		oriented = preprocessing.OrientationOf(encoded)
	}
	turnedWidth, turnedHeight := width, height
	if oriented.Swaps() {
		turnedWidth, turnedHeight = height, width
	}
	bound := w.plan.decode.Bound()
	if n := int64(width) * int64(height); n > bound {
		return imageErrorf(TooManyPixels, "%d×%d are %d pixels; the limit is %d", turnedWidth, turnedHeight, n, bound)
	}
	if err := limitSize(int64(turnedWidth), int64(turnedHeight), w.plan.first.steps, bound); err != nil {
		return err
	}
	if err := check(format, encoded); err != nil {
		return err
	}
	if format == preprocessing.JPEG {
		return w.decodeJPEG(encoded, w.ratio(turnedWidth, turnedHeight), oriented)
	}
	px, err := decode(format, encoded, width, height, *w.plan.decode)
	if err != nil {
		return err
	}
	rest := w.branches[1].rest
	if px.DataType() == tensorflow.Float32 {
		rest = w.deep
	}
	return w.finish(rest, px, oriented)
}

// check limits the work of a decoder on an image before it begins, as it cannot
// be interrupted, and detects a truncated JPEG earlier than libjpeg does. The
// decoders of GIF and WebP read only the first image and are limited by the
// size in pixels alone; data after it may be incomplete.
func check(format preprocessing.Format, encoded []byte) error {
	if format == preprocessing.GIF || format == preprocessing.WebP {
		return nil
	}
	if err := preprocessing.Check(encoded); err != nil {
		return faultOf(err)
	}
	return nil
}

func (w *run) decodeJPEG(encoded []byte, ratio int, oriented preprocessing.Orientation) error {
	in, err := tensorflow.FromStrings(nil, [][]byte{encoded})
	if err != nil {
		return err
	}
	defer in.Close()
	b := w.branches[ratio]
	step := b.whole
	if oriented != preprocessing.Upright {
		step = b.decode
	}
	out, err := step.Run(w.ctx, in)
	if e := (*tensorflow.Error)(nil); errors.As(err, &e) && e.Code == tensorflow.InvalidArgument {
		if w.plan.decode.Channels == 1 && preprocessing.DetailsOf(encoded).Inks {
			return imageErrorf(Unsupported, "jpeg: CMYK cannot be decoded to grey: decode 3 channels and add a grey step")
		}
		return imageErrorf(Corrupt, "jpeg: its data cannot be decoded")
	}
	if err != nil {
		return err
	}
	if oriented != preprocessing.Upright {
		return w.finish(b.rest, out[0], oriented)
	}
	w.hold(out[0])
	return nil
}

// finish passes decoded pixels, which it closes, through the first piece.
func (w *run) finish(rest *tensorflow.Step, px *tensorflow.Tensor, oriented preprocessing.Orientation) error {
	defer px.Close()
	if oriented != preprocessing.Upright {
		turned, err := reorient(oriented, px)
		if err != nil {
			return err
		}
		defer turned.Close()
		px = turned
	}
	out, err := rest.Run(w.ctx, px)
	if err != nil {
		return err
	}
	w.hold(out[0])
	return nil
}

// ratio returns the largest ratio at which a JPEG of the given size, upright,
// still covers the size required by the first resize. libjpeg rounds the scaled
// size up.
func (w *run) ratio(width, height int) int {
	best := 1
	for _, s := range w.plan.first.steps {
		if s.Resize == nil {
			continue
		}
		for ratio := range w.branches {
			if ratio > best && (width+ratio-1)/ratio >= s.Resize.Width && (height+ratio-1)/ratio >= s.Resize.Height {
				best = ratio
			}
		}
		break
	}
	return best
}

// limitSize limits the size of an image after the steps: a narrow strip is
// enlarged to many pixels before it is cropped.
func limitSize(width, height int64, steps []preprocessing.Step, bound int64) error {
	w, h := width, height
	for _, s := range steps {
		switch {
		case s.Crop != nil:
			w, h = int64(s.Crop.Width), int64(s.Crop.Height)
		case s.Pad != nil:
			w, h = int64(s.Pad.Width), int64(s.Pad.Height)
		case s.Resize != nil:
			if w, h = scaledSize(w, h, *s.Resize); s.Resize.Keep != "" && w*h > bound {
				return imageErrorf(TooManyPixels, "%d×%d resized to %d×%d are %d pixels; the limit is %d", width, height, w, h, w*h, bound)
			}
		}
	}
	return nil
}

// scaledSize returns the size of w × h after a resize, with the longer side
// rounded down; compiler.scaled does the same with TensorFlow's operations.
func scaledSize(w, h int64, r preprocessing.Resize) (width, height int64) {
	width, height = int64(r.Width), int64(r.Height)
	switch r.Keep {
	case preprocessing.KeepShorter:
		return max(width, w*height/h), max(height, h*width/w)
	case preprocessing.KeepLonger:
		return max(1, min(width, w*height/h)), max(1, min(height, h*width/w))
	}
	return width, height
}
