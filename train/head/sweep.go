package head

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/floats"

	"tkit/internal/tensorflow"
)

// A sweep is one training set solved for a sequence of penalties.
type sweep struct {
	*multiplier
	options  Options
	scaling  scaling
	features *tensorflow.Tensor // [n, d] standardised
	// basis [d, r] spans the features if there are fewer examples than
	// dimensions, and the problem is solved in it; nil otherwise.
	basis   *tensorflow.Tensor
	problem *problem
}

// newSweep prepares a training set. Its examples may lack some of the classes,
// as in a fold.
func newSweep(ctx context.Context, m *multiplier, set Set, classes int, o Options) (s *sweep, err error) {
	s = &sweep{multiplier: m, options: o, scaling: newScaling(set)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.features, err = s.standardised(set); err != nil {
		return nil, err
	}
	solved := s.features
	if 2*set.Len() <= set.Dim {
		// The minimum is in the span of the examples: any part of W orthogonal
		// to it would increase the penalty and change no logit. With X' = QR
		// and W = VQ' the logits are R'V and the penalties are equal, because Q
		// is orthonormal.
		out, err := m.qr.Run(ctx, s.features)
		if err != nil {
			return nil, fmt.Errorf("head: reduce %d examples of width %d: %w", set.Len(), set.Dim, err)
		}
		s.basis = out[0]
		defer out[1].Close()
		if solved, err = transpose(out[1]); err != nil {
			return nil, err
		}
		s.features.Close()
		s.features = solved
	}
	s.problem, err = newProblem(m, solved, set.Labels, exampleWeights(set.Labels, classes, o.Balanced), classes)
	return s, err
}

func (s *sweep) close() {
	for _, t := range []*tensorflow.Tensor{s.features, s.basis} {
		if t != nil {
			t.Close()
		}
	}
	if s.problem != nil {
		s.problem.close()
	}
}

// standardised returns a set's features with the training set's scaling.
func (s *sweep) standardised(set Set) (*tensorflow.Tensor, error) {
	t, err := tensorflow.NewTensor(tensorflow.Float32, int64(set.Len()), int64(set.Dim))
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	s.scaling.apply(set, t.Float32())
	return t, nil
}

// solve returns the head for the next penalty, the objective and the number of
// iterations.
func (s *sweep) solve(ctx context.Context, penalty float64) (*Model, float64, int, error) {
	objective, iterations, err := s.problem.solve(ctx, penalty, s.options.Tolerance, s.options.MaxIterations)
	if err != nil {
		return nil, 0, 0, err
	}
	weights := s.problem.weights(s.problem.x)
	if s.basis != nil {
		if weights, err = s.expand(ctx, weights); err != nil {
			return nil, 0, 0, err
		}
	}
	return newModel(weights, s.problem.biases(), s.scaling), objective, iterations, nil
}

// expand returns V·Qᵀ, the weights [k, d] for weights in the basis.
func (s *sweep) expand(ctx context.Context, v []float64) ([]float64, error) {
	small, err := tensorflow.NewTensor(tensorflow.Float32, int64(s.problem.k), int64(s.problem.d))
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	defer small.Close()
	for i, f := range v {
		small.Float32()[i] = float32(f)
	}
	out, err := multiply(ctx, s.forward, small, s.basis)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	weights := make([]float64, out.Len())
	for i, f := range out.Float32() {
		weights[i] = float64(f)
	}
	return weights, nil
}

// exampleWeights returns weights with the sum 1: uniform over the examples, or
// over the classes that occur.
func exampleWeights(labels []int, classes int, balanced bool) []float64 {
	weights := make([]float64, len(labels))
	n := counts(labels, classes)
	for i, y := range labels {
		weights[i] = 1
		if balanced {
			weights[i] = 1 / float64(n[y])
		}
	}
	floats.Scale(1/floats.Sum(weights), weights)
	return weights
}

// transpose returns a matrix's transpose.
func transpose(t *tensorflow.Tensor) (*tensorflow.Tensor, error) {
	shape := t.Shape()
	rows, columns := int(shape[0]), int(shape[1])
	out, err := tensorflow.NewTensor(tensorflow.Float32, shape[1], shape[0])
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	from, to := t.Float32(), out.Float32()
	for i := range rows {
		for j := range columns {
			to[j*rows+i] = from[i*columns+j]
		}
	}
	return out, nil
}
