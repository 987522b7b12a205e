package head

import (
	"context"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/floats"

	"tkit/internal/tensorflow"
)

// A Model is a trained head: logits = (x·Weights + Intercepts)/Temperature for
// raw bottlenecks x, with the standardisation folded in.
type Model struct {
	Dim, Classes int
	// Weights is [Dim, Classes], Intercepts [Classes].
	Weights     []float32
	Intercepts  []float32
	Temperature float64
}

// newModel folds the scaling into weights [classes, dim] and intercepts.
func newModel(weights, intercepts []float64, sc scaling) *Model {
	k, d := len(intercepts), len(sc.mean)
	m := &Model{Dim: d, Classes: k, Weights: make([]float32, d*k), Intercepts: make([]float32, k), Temperature: 1}
	folded := make([]float64, d)
	for c := range k {
		floats.MulTo(folded, weights[c*d:(c+1)*d], sc.factor)
		for j, w := range folded {
			m.Weights[j*k+c] = float32(w)
		}
		m.Intercepts[c] = float32(intercepts[c] - floats.Dot(folded, sc.mean))
	}
	return m
}

// logits returns the logits, before the temperature, of bottlenecks [n, Dim].
func (m *Model) logits(ctx context.Context, by *multiplier, bottlenecks *tensorflow.Tensor) ([]float32, error) {
	weights, err := tensorflow.FromFloat32([]int64{int64(m.Dim), int64(m.Classes)}, m.Weights)
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	defer weights.Close()
	product, err := multiply(ctx, by.plain, bottlenecks, weights)
	if err != nil {
		return nil, err
	}
	defer product.Close()
	logits := slices.Clone(product.Float32())
	for i := range logits {
		logits[i] += m.Intercepts[i%m.Classes]
	}
	return logits, nil
}

// Logits returns a row of Classes logits, before the temperature, for each
// example of a set.
func (m *Model) Logits(ctx context.Context, s Set) ([]float32, error) {
	if s.Dim != m.Dim {
		return nil, fmt.Errorf("head: bottlenecks have width %d, the head takes %d", s.Dim, m.Dim)
	}
	by, err := newMultiplier(0)
	if err != nil {
		return nil, err
	}
	defer by.close()
	bottlenecks, err := tensorflow.FromFloat32([]int64{int64(s.Len()), int64(s.Dim)}, s.Features)
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	defer bottlenecks.Close()
	return m.logits(ctx, by, bottlenecks)
}
