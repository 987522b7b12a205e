// Package independence checks, by proof or by trial, that the output of a
// network for an image depends only on that image: neither on the others in its
// batch nor on random numbers.
package independence

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// ErrMixes is wrapped by errors about a network whose output for an image
// depends on the other images of its batch, or differs between two runs.
var ErrMixes = errors.New("the outputs for images are not independent")

// Prove reports whether the network's graph proves that a row of an output
// depends only on its own image. The error wraps [ErrMixes] if the graph shows
// that it does not. If the graph shows neither, use [Try].
func Prove(n *network.Network) (proved bool, err error) {
	found, err := n.Independence()
	if err == nil && found.Mixes != nil {
		err = fmt.Errorf("%w: %w", ErrMixes, found.Mixes)
	}
	return found.Proved, err
}

// Check returns an error that wraps [ErrMixes] for a network with one input and
// float32 outputs whose output for an image depends on the others in its batch.
// It runs the network only if the graph proves nothing.
func Check(ctx context.Context, n *network.Network) error {
	proved, err := Prove(n)
	if err != nil || proved {
		return err
	}
	l, err := n.Load(tensorflow.Config{})
	if err != nil {
		return err
	}
	return errors.Join(Try(ctx, l, ToleranceFP32), l.Close())
}

// Retrain adds the remedy to an error about the trunk of a registered version.
// Only earlier releases registered such versions.
func Retrain(err error) error {
	if !errors.Is(err, ErrMixes) {
		return err
	}
	return fmt.Errorf("%w: the version was trained before bases were checked for this; train it again from its base", err)
}

// The tolerances bound the difference between two outputs for one image,
// relative to its largest value. TensorFlow computes batches of different sizes
// by different kernels, so rounding differs: by up to 2e-5 in float32 and 1e-2
// in bfloat16. Batch statistics change an output by about its own size.
const (
	ToleranceFP32 = 1e-3
	ToleranceBF16 = 0.1
)

// Try runs a loaded network on very different images and compares its outputs:
// first each image alone, then with the others in two orders and batch sizes,
// then once more. The network has one input of float32 images [N, height,
// width, channels] and float32 outputs. The error wraps [ErrMixes] if the
// outputs for an image differ.
func Try(ctx context.Context, l *network.Loaded, tolerance float64) error {
	in := l.Inputs[0]
	if len(in.Shape) < 2 {
		return fmt.Errorf("input %s has the shape %v; want a batch of images", in.Name, in.Shape)
	}
	shape := slices.Clone(in.Shape[1:])
	for i, otherwise := range []int64{64, 64, 3} {
		if i < len(shape) && shape[i] < 1 {
			shape[i] = otherwise
		}
	}
	p := &trial{loaded: l, shape: shape, images: testImages(shape), tolerance: tolerance}
	for i := range p.images {
		answer, err := p.ask(ctx, i)
		if err != nil {
			return err
		}
		p.alone = append(p.alone, answer[0])
	}
	for _, batch := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0, 0}, {0, 1, 2, 3}, {1, 1, 1}} {
		if err := p.compare(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// testImages returns noise of two ranges, one uniform colour, and a gradient.
func testImages(shape []int64) [][]float32 {
	size := 1
	for _, d := range shape {
		size *= int(d)
	}
	images := make([][]float32, 4)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range images {
		images[i] = make([]float32, size)
		for k := range images[i] {
			switch i {
			case 0:
				images[i][k] = 2*random.Float32() - 1
			case 1:
				images[i][k] = 255 * random.Float32()
			case 2:
				images[i][k] = 255
			case 3:
				images[i][k] = 255 * float32(k) / float32(size)
			}
		}
	}
	return images
}

// trial runs a network on images in batches.
type trial struct {
	loaded    *network.Loaded
	shape     []int64 // of one image
	images    [][]float32
	alone     [][]float32 // the output for each image in a batch of its own
	tolerance float64
}

// ask returns the outputs for some of the images in one batch, all outputs of
// one image after the other.
func (p *trial) ask(ctx context.Context, batch ...int) ([][]float32, error) {
	var values [][]float32
	for _, i := range batch {
		values = append(values, p.images[i])
	}
	in, err := tensorflow.FromRows(p.shape, values)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	outputs, err := p.loaded.Run(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("a batch of %d images: %w", len(batch), err)
	}
	answers := make([][]float32, len(batch))
	for _, out := range outputs {
		defer out.Close()
		if s := out.Shape(); len(s) == 0 || s[0] != int64(len(batch)) {
			return nil, fmt.Errorf("%w: it returns %v for a batch of %d images, not a row for each", ErrMixes, s, len(batch))
		}
		flat := out.Float32()
		width := len(flat) / len(batch)
		for i := range answers {
			answers[i] = append(answers[i], flat[i*width:][:width]...)
		}
	}
	return answers, nil
}

// compare runs a batch and compares each output with that for the image alone.
func (p *trial) compare(ctx context.Context, batch []int) error {
	answers, err := p.ask(ctx, batch...)
	if err != nil {
		return err
	}
	overall := 0.0
	for _, row := range p.alone {
		overall = max(overall, largest(row))
	}
	for k, i := range batch {
		if len(answers[k]) != len(p.alone[i]) {
			return fmt.Errorf("%w: an image has %d values alone and %d in a batch of %d", ErrMixes, len(p.alone[i]), len(answers[k]), len(batch))
		}
		scale := max(largest(p.alone[i]), overall/100)
		for j, v := range answers[k] {
			was := p.alone[i][j]
			if v != v && was != was || v == was { // NaN is allowed
				continue
			}
			if d := math.Abs(float64(v) - float64(was)); !(d <= p.tolerance*scale) {
				return fmt.Errorf("%w: the same image gives %g alone and %g in a batch of %d", ErrMixes, was, v, len(batch))
			}
		}
	}
	return nil
}

// largest returns the largest absolute finite value.
func largest(row []float32) float64 {
	most := 0.0
	for _, v := range row {
		if a := math.Abs(float64(v)); a <= 1e30 {
			most = max(most, a)
		}
	}
	return most
}
