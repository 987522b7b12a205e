package architectures

import "fmt"

// Conv is a two-dimensional convolution (cross-correlation, as usual in the
// field).
type Conv struct {
	Window
	Filters int
	// Groups divides input and output channels into independent groups. Zero
	// means 1.
	Groups int
	// Connections, if set, lists for each output map its input maps: the C3
	// layer of LeNet-5. The kernel then has one Height×Width slice per
	// connection, in the order of the table. It excludes Groups.
	Connections [][]int
	Bias        bool
	Init        Init
	// BiasInit is the initial value of biases.
	BiasInit float64
}

func (c Conv) String() string {
	s := fmt.Sprintf("%v, %d", c.Window, c.Filters)
	if c.Parts() > 1 {
		s += fmt.Sprintf(" in %d groups", c.Groups)
	}
	return s
}

// Parts returns the number of groups, at least 1.
func (c Conv) Parts() int { return max(c.Groups, 1) }

func (c Conv) infer(in []Shape) (Shape, error) {
	if err := wantMap(in[0]); err != nil {
		return nil, err
	}
	channels := in[0].Channels()
	if channels%c.Parts() != 0 || c.Filters%c.Parts() != 0 {
		return nil, fmt.Errorf("%d input and %d output channels do not divide into %d groups", channels, c.Filters, c.Groups)
	}
	if err := c.checkConnections(channels); err != nil {
		return nil, err
	}
	v, h, err := c.Spans(in[0][0], in[0][1])
	if err != nil {
		return nil, err
	}
	return Shape{v.Out, h.Out, c.Filters}, nil
}

func (c Conv) checkConnections(channels int) error {
	if c.Connections == nil {
		return nil
	}
	if len(c.Connections) != c.Filters {
		return fmt.Errorf("connections of %d maps for %d filters", len(c.Connections), c.Filters)
	}
	for _, from := range c.Connections {
		for _, m := range from {
			if m < 0 || m >= channels {
				return fmt.Errorf("a connection from map %d of %d", m, channels)
			}
		}
	}
	return nil
}

func (c Conv) variables(in []Shape) []Variable {
	area, channels := c.Height*c.Width, in[0].Channels()
	shape := []int{c.Height, c.Width, channels / c.Parts(), c.Filters}
	fanIn := float64(area * channels / c.Parts())
	fanOut := float64(area * c.Filters / c.Parts())
	if c.Connections != nil {
		n := 0
		for _, from := range c.Connections {
			n += len(from)
		}
		shape = []int{c.Height, c.Width, n}
		fanIn = float64(area*n) / float64(c.Filters)
		fanOut = float64(area*n) / float64(channels)
	}
	return withBias(c.Bias, c.BiasInit, c.Filters,
		Variable{Name: "kernel", Shape: shape, Trainable: true, Decay: true, Init: c.Init.fans(fanIn, fanOut)})
}

func withBias(bias bool, value float64, n int, kernel Variable) []Variable {
	if !bias {
		return []Variable{kernel}
	}
	return []Variable{kernel,
		{Name: "bias", Shape: []int{n}, Trainable: true, Init: Init{Kind: Constant, Scale: value}}}
}
