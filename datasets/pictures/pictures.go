// Package pictures decodes the images of a dataset for its report: to find
// those that look alike (Printer), and to show them (Thumbnailer).
package pictures

import (
	"context"
	"errors"
	"fmt"
	"math"

	"tkit/datasets"
	"tkit/datasets/similarity"
	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
)

// Printer makes prints of encoded images. It is safe for concurrent use.
type Printer struct{ pipeline *pipeline.Pipeline }

// NewPrinter makes a printer, which the caller closes. It accepts images of any
// size: the snapshot has its own bound.
func NewPrinter() (*Printer, error) {
	p, err := pipeline.Compile(preprocessing.Preprocessing{Steps: []preprocessing.Step{
		// Three channels, because a JPEG in CMYK cannot be decoded as grey.
		{Decode: &preprocessing.Decode{Channels: 3, MaxPixels: math.MaxInt64, JPEGScale: true, Orientation: true}},
		{Resize: &preprocessing.Resize{Height: similarity.Side, Width: similarity.Side, Kernel: preprocessing.Area}},
		{Grey: &preprocessing.Grey{Channels: 1}},
		{Normalise: &preprocessing.Normalise{Mode: preprocessing.None}},
	}})
	if err != nil {
		return nil, fmt.Errorf("prints: %w", err)
	}
	return &Printer{p}, nil
}

// Close waits for images being processed.
func (p *Printer) Close() error { return p.pipeline.Close() }

// leastSide is the minimum width and height of an image for a print: a smaller
// one lacks the frequencies that a print uses.
const leastSide = 8

// Print implements datasets.Look.
func (p *Printer) Print(ctx context.Context, encoded []byte) (similarity.Print, bool, error) {
	var grey [similarity.Side * similarity.Side]float32
	if err := into(ctx, p.pipeline, encoded, grey[:]); err != nil {
		return similarity.Print{}, false, err
	}
	if _, width, height, err := preprocessing.Sniff(encoded); err != nil || min(width, height) < leastSide {
		return similarity.Print{}, false, err
	}
	print, ok := similarity.PrintOf(grey[:])
	return print, ok, nil
}

// into runs the pipeline and translates the errors of images to those of
// datasets.
func into(ctx context.Context, p *pipeline.Pipeline, encoded []byte, dst []float32) error {
	err := p.Into(ctx, encoded, dst)
	var bad *pipeline.ImageError
	if errors.As(err, &bad) {
		return fmt.Errorf("%w: %w", datasets.ErrUndecodable, err)
	}
	return err
}
