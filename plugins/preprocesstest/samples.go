package preprocesstest

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"

	"tkit/plugins"
)

// batch makes a batch of n images that the preprocessor takes, different for
// each seed. If any size is accepted, variants differ in size.
func (t *trial) batch(n, variant int, seed uint64) (plugins.Batch, error) {
	takes := t.description.Takes
	if takes.Kind == plugins.Encoded {
		samples := t.Samples
		if len(samples) == 0 {
			var err error
			if samples, err = drawn(); err != nil {
				return plugins.Batch{}, err
			}
		}
		b := plugins.NewBatch(plugins.Encoded, n, [3]int{})
		for i := range b.Encoded {
			b.Encoded[i] = samples[(int(seed)+i)%len(samples)]
		}
		return b, nil
	}
	sizes := [][3]int{{60, 80, 3}, {33, 17, 3}, {224, 224, 3}, {48, 64, 1}}
	shape := sizes[variant%len(sizes)]
	for i, side := range takes.Shape {
		if side == plugins.Any {
			side = t.Sides[i]
		}
		if side > 0 {
			shape[i] = side
		}
	}
	return filled(plugins.NewBatch(takes.Kind, n, shape), seed), nil
}

// variants is the number of batches of different sizes.
const variants = 4

// filled fills a batch with smooth noise between 0 and 255.
func filled(b plugins.Batch, seed uint64) plugins.Batch {
	r := rand.New(rand.NewPCG(seed, 7))
	for i := range b.Uint8 {
		b.Uint8[i] = uint8((i/3)%200 + r.IntN(56))
	}
	for i := range b.Float32 {
		b.Float32[i] = float32((i/3)%200) + 55*r.Float32()
	}
	return b
}

// drawn returns a JPEG and a PNG of different sizes.
func drawn() ([][]byte, error) {
	draw := func(width, height int) image.Image {
		m := image.NewRGBA(image.Rect(0, 0, width, height))
		for y := range height {
			for x := range width {
				m.Set(x, y, color.RGBA{uint8(3 * x), uint8(2 * y), uint8(x ^ y), 255})
			}
		}
		return m
	}
	var a, b bytes.Buffer
	if err := jpeg.Encode(&a, draw(80, 60), nil); err != nil {
		return nil, fmt.Errorf("draw a JPEG: %w", err)
	}
	if err := png.Encode(&b, draw(50, 70)); err != nil {
		return nil, fmt.Errorf("draw a PNG: %w", err)
	}
	return [][]byte{a.Bytes(), b.Bytes()}, nil
}

// one returns an image of a batch as a batch of one.
func one(b plugins.Batch, n int) plugins.Batch {
	out := plugins.Batch{Kind: b.Kind, Count: 1, Shape: b.Shape}
	from, to := n*b.Elements(), (n+1)*b.Elements()
	switch b.Kind {
	case plugins.Encoded:
		out.Encoded = b.Encoded[n : n+1]
	case plugins.Uint8:
		out.Uint8 = b.Uint8[from:to]
	case plugins.Float32:
		out.Float32 = b.Float32[from:to]
	}
	return out
}

// copied returns a batch with its own memory.
func copied(b plugins.Batch) plugins.Batch {
	out := b
	out.Uint8, out.Float32 = bytes.Clone(b.Uint8), append([]float32(nil), b.Float32...)
	if b.Encoded != nil {
		out.Encoded = make([][]byte, len(b.Encoded))
		for i, file := range b.Encoded {
			out.Encoded[i] = bytes.Clone(file)
		}
	}
	return out
}
