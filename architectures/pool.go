package architectures

import "fmt"

// Pool replaces each window of a feature map by one value.
type Pool struct {
	weightless
	Window
	// Average uses the mean instead of the maximum.
	Average bool
	// ZeroPadded makes padded positions ordinary zeros, which count in the mean
	// and may be the maximum, like a padding layer before the pool. Otherwise
	// padded positions are ignored.
	ZeroPadded bool
}

func (p Pool) String() string {
	if p.Average {
		return "average pool " + p.Window.String()
	}
	return "max pool " + p.Window.String()
}

func (p Pool) infer(in []Shape) (Shape, error) {
	if err := wantMap(in[0]); err != nil {
		return nil, err
	}
	v, h, err := p.Spans(in[0][0], in[0][1])
	if err != nil {
		return nil, err
	}
	return Shape{v.Out, h.Out, in[0].Channels()}, nil
}

// Subsampling is the S layer of LeCun et al. 1998, §II.B: the sum over each
// Size×Size block, times a coefficient, plus a bias, both trainable and one per
// map.
type Subsampling struct {
	Size int
	Init Init
}

func (s Subsampling) String() string { return fmt.Sprintf("subsampling %d×%d", s.Size, s.Size) }

// Window is the block that the layer sums over.
func (s Subsampling) Window() Window { return Square(s.Size, s.Size, Valid) }

func (s Subsampling) infer(in []Shape) (Shape, error) {
	return Pool{Window: s.Window()}.infer(in)
}

func (s Subsampling) variables(in []Shape) []Variable {
	maps, area := in[0].Channels(), float64(s.Size*s.Size)
	return []Variable{
		{Name: "coefficient", Shape: []int{maps}, Trainable: true, Decay: true, Init: s.Init.fans(area, 1)},
		{Name: "bias", Shape: []int{maps}, Trainable: true},
	}
}
