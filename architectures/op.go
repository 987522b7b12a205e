package architectures

import (
	"fmt"
	"slices"
)

// An Op is the operation of a layer. The kinds are Conv, Depthwise, Dense, RBF,
// BatchNorm, Activation, Pool, Subsampling, LRN, Dropout, GlobalAverage, Flatten, Add,
// Concat and PadShortcut; a builder switches on them.
type Op interface {
	// String describes the operation like a cell of a paper's table. It is
	// empty for operations that such tables omit.
	fmt.Stringer
	// infer returns the output's shape for the inputs' shapes.
	infer(in []Shape) (Shape, error)
	// variables lists the weights, named by their role.
	variables(in []Shape) []Variable
}

// weightless is embedded by the operations without weights.
type weightless struct{}

func (weightless) variables([]Shape) []Variable { return nil }

// A Function is an activation function.
type Function int

// The activation functions.
const (
	ReLU Function = iota
	// ScaledTanh is 1.7159·tanh(2x/3): LeCun et al. 1998, appendix A.
	ScaledTanh
	// ReLU6 is min(max(x, 0), 6).
	ReLU6
)

// Activation applies a function to every value.
type Activation struct {
	weightless
	Function Function
}

func (Activation) String() string { return "" }

func (Activation) infer(in []Shape) (Shape, error) { return in[0], nil }

// LRN is local response normalisation across channels, Krizhevsky et al. 2012,
// §3.3: b = a / (Bias + Alpha·Σa²)^Beta, the sum over 2·Radius+1 channels.
type LRN struct {
	weightless
	Radius            int
	Bias, Alpha, Beta float64
}

func (LRN) String() string { return "LRN" }

func (LRN) infer(in []Shape) (Shape, error) { return in[0], wantMap(in[0]) }

// Dropout sets values to zero with probability Rate in training and scales the
// others by 1/(1−Rate), so that inference needs no change.
type Dropout struct {
	weightless
	Rate float64
}

func (d Dropout) String() string { return fmt.Sprintf("dropout %g", d.Rate) }

func (Dropout) infer(in []Shape) (Shape, error) { return in[0], nil }

// GlobalAverage is the mean over height and width: one value per channel.
type GlobalAverage struct{ weightless }

func (GlobalAverage) String() string { return "global average" }

func (GlobalAverage) infer(in []Shape) (Shape, error) {
	return Shape{in[0].Channels()}, wantMap(in[0])
}

// Flatten flattens the activation, in the order height, width, channel.
type Flatten struct{ weightless }

func (Flatten) String() string { return "" }

func (Flatten) infer(in []Shape) (Shape, error) { return Shape{in[0].Elements()}, nil }

// Add sums its inputs, two or more.
type Add struct{ weightless }

func (Add) String() string { return "" }

func (Add) infer(in []Shape) (Shape, error) {
	if len(in) < 2 {
		return nil, fmt.Errorf("cannot add up %d input", len(in))
	}
	for _, s := range in[1:] {
		if !slices.Equal(s, in[0]) {
			return nil, fmt.Errorf("cannot add %v to %v", s, in[0])
		}
	}
	return in[0], nil
}

// Concat concatenates its inputs' channels.
type Concat struct{ weightless }

func (Concat) String() string { return "" }

func (Concat) infer(in []Shape) (Shape, error) {
	out := slices.Clone(in[0])
	for _, s := range in[1:] {
		if len(s) != len(out) || !slices.Equal(s[:len(s)-1], out[:len(out)-1]) {
			return nil, fmt.Errorf("cannot join %v with %v", s, in[0])
		}
		out[len(out)-1] += s.Channels()
	}
	return out, nil
}

// PadShortcut is the parameter-free shortcut of He et al. 2015, §3.3, option A:
// every Stride-th row and column, and zeros for the new channels.
type PadShortcut struct {
	weightless
	Stride, Channels int
}

func (PadShortcut) String() string { return "" }

func (p PadShortcut) infer(in []Shape) (Shape, error) {
	if err := wantMap(in[0]); err != nil {
		return nil, err
	}
	if p.Channels < in[0].Channels() {
		return nil, fmt.Errorf("a shortcut of %d channels cannot hold %d", p.Channels, in[0].Channels())
	}
	out := func(n int) int { return (n + p.Stride - 1) / p.Stride }
	return Shape{out(in[0][0]), out(in[0][1]), p.Channels}, nil
}

func wantMap(s Shape) error {
	if len(s) != 3 {
		return fmt.Errorf("needs height, width and channels, has %v", s)
	}
	return nil
}
