// Package pictures decodes the images of a dataset for what a report says of
// them: which look alike (Printer), and what they look like (Thumbnailer).
package pictures

import (
	"context"
	"errors"
	"fmt"
	"math"

	"tkit/datasets"
	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
	"tkit/internal/similarity"
)

// Printer makes prints of encoded images. Safe for concurrent use.
type Printer struct{ pipeline *pipeline.Pipeline }

// NewPrinter makes a printer, which the caller closes. It takes images of any
// size: the snapshot has its own bound.
func NewPrinter() (*Printer, error) {
	p, err := pipeline.Compile(preprocessing.Preprocessing{Steps: []preprocessing.Step{
		// Three channels, as of a JPEG in CMYK there is no grey to be had.
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

// Close waits for the images under way.
func (p *Printer) Close() error { return p.pipeline.Close() }

// leastSide is how many pixels wide and high an image has to be for a print: with
// fewer it has not as many frequencies as a print looks at.
const leastSide = 8

// Print is a datasets.Look.
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

// into is the pipeline's, with the fault of an image as datasets knows it.
func into(ctx context.Context, p *pipeline.Pipeline, encoded []byte, dst []float32) error {
	err := p.Into(ctx, encoded, dst)
	var bad *pipeline.ImageError
	if errors.As(err, &bad) {
		return fmt.Errorf("%w: %w", datasets.ErrUndecodable, err)
	}
	return err
}
