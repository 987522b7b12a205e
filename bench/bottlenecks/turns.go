package main

import (
	"context"

	"tkit/bench/measure"
)

// inTurn measures each side once a round, after an uncounted round, and returns
// the figures of each.
func inTurn(ctx context.Context, rounds int, sides []func() (float64, error)) ([][]float64, error) {
	figures := make([][]float64, len(sides))
	for round := range rounds + 1 {
		for i, side := range sides {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			v, err := side()
			if err != nil {
				return nil, err
			}
			if round > 0 {
				figures[i] = append(figures[i], v)
			}
		}
	}
	return figures, nil
}

// row fills in images/s of two sides that were measured alternately.
func row(measured, reference []float64, r measure.Row) measure.Row {
	ratios := make([]float64, len(measured))
	for i := range ratios {
		ratios[i] = measured[i] / reference[i]
	}
	r.Measured, r.Reference, r.Ratio = measure.Median(measured), measure.Median(reference), measure.Median(ratios)
	r.Unit = "images/s"
	return r
}
