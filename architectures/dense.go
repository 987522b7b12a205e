package architectures

import (
	"errors"
	"fmt"
)

// Dense is a fully connected layer with bias.
type Dense struct {
	Units    int
	Init     Init
	BiasInit float64
}

func (d Dense) String() string { return fmt.Sprintf("%d-d fc", d.Units) }

func (d Dense) infer(in []Shape) (Shape, error) { return Shape{d.Units}, wantFlat(in[0]) }

func (d Dense) variables(in []Shape) []Variable {
	n := in[0].Elements()
	return withBias(true, d.BiasInit, d.Units, Variable{Name: "kernel", Shape: []int{n, d.Units},
		Trainable: true, Decay: true, Init: d.Init.fans(float64(n), float64(d.Units))})
}

// RBF is LeNet-5's output: unit i is the negated squared distance between the
// input and Centres[i], which is fixed. It is negated so that the nearest
// centre has the highest value; the softmax of the units is then the posterior
// that the paper's loss (equation 9, without its "rubbish" class) maximises.
type RBF struct {
	weightless
	Centres [][]float32
}

func (r RBF) String() string { return fmt.Sprintf("%d RBF units", len(r.Centres)) }

func (r RBF) infer(in []Shape) (Shape, error) {
	if err := wantFlat(in[0]); err != nil {
		return nil, err
	}
	for _, c := range r.Centres {
		if len(c) != in[0].Elements() {
			return nil, fmt.Errorf("a centre of %d values for an input of %d", len(c), in[0].Elements())
		}
	}
	return Shape{len(r.Centres)}, nil
}

// BatchNorm is batch normalisation over all dimensions except the channels:
// Ioffe and Szegedy, "Batch Normalization", ICML 2015.
type BatchNorm struct {
	Epsilon float64
	// Momentum is the fraction of the running statistics kept at each training
	// step.
	Momentum float64
	// NoScale omits gamma, which a following ReLU and convolution can absorb.
	NoScale bool
}

func (BatchNorm) String() string { return "" }

func (BatchNorm) infer(in []Shape) (Shape, error) { return in[0], wantMap(in[0]) }

func (b BatchNorm) variables(in []Shape) []Variable {
	n, one := []int{in[0].Channels()}, Init{Kind: Constant, Scale: 1}
	vs := []Variable{
		{Name: "gamma", Shape: n, Trainable: true, Init: one},
		{Name: "beta", Shape: n, Trainable: true},
		{Name: "moving_mean", Shape: n},
		{Name: "moving_variance", Shape: n, Init: one},
	}
	if b.NoScale {
		return vs[1:]
	}
	return vs
}

func wantFlat(s Shape) error {
	if !s.flat() {
		return errors.New("needs a flat input")
	}
	return nil
}
