package architectures

import (
	"fmt"

	"tkit/internal/preprocessing"
)

const resNetV2Citation = "K. He, X. Zhang, S. Ren, J. Sun: Identity Mappings in Deep Residual Networks. ECCV 2016, arXiv:1603.05027"

// A resNetV2 is a variant of the pre-activation design: batch normalisation and
// ReLU precede the convolutions, and nothing is on the identity path.
type resNetV2 struct {
	norm BatchNorm
	// keras selects the variant of Keras and TF-Slim: the first convolution is
	// not activated, so that padded zeros can be the maximum in the pool; the
	// outer convolutions of a unit have biases; and the last unit of a stage
	// has the stride instead of the first unit of the next.
	keras bool
}

func resNetV2s() []Architecture {
	input := [3]int{224, 224, 3}
	var paper, keras []Architecture
	for _, r := range resNetTable {
		name, title := fmt.Sprintf("resnet%dv2", r.depth), fmt.Sprintf("ResNet-%d v2", r.depth)
		paper = append(paper, define(name, title, resNetV2Citation, input, 1000, preprocessing.TF,
			resNetV2{norm: BatchNorm{Epsilon: 1e-5, Momentum: .9}}.builder(r)))
		if r.bottleneck {
			keras = append(keras, define(name+"-keras", title+" as in Keras: strides at the ends of stages", resNetV2Citation, input, 1000, preprocessing.TF,
				resNetV2{norm: BatchNorm{Epsilon: 1.001e-5, Momentum: .99}, keras: true}.builder(r)))
		}
	}
	return append(paper, keras...)
}

func (n resNetV2) builder(r resNetRow) func(int, [3]int) (*Graph, error) {
	return func(classes int, input [3]int) (*Graph, error) {
		c := compose(input, Init{Kind: HeNormal})
		c.row("conv1", "")
		x := c.linear("conv1", Input, Conv{Window: Square(7, 2, Pad(3)), Filters: 64, Bias: n.keras})
		if !n.keras {
			x = n.activate(c, "conv1", x)
		}
		c.row("pool1", "")
		x = c.add("pool1", Pool{Window: Square(3, 2, Pad(1)), ZeroPadded: n.keras}, x)
		for stage, units := range r.units {
			scope := fmt.Sprintf("conv%d", stage+2)
			c.row(scope+"_x", r.note(stage))
			for unit := range units {
				x = n.unit(c, fmt.Sprintf("%s/block%d", scope, unit+1), x, r, place{stage, unit})
			}
		}
		c.row("norm", "batch normalisation")
		x = n.activate(c, "norm", x)
		c.row("pool", "")
		x = c.add("pool", GlobalAverage{}, x)
		c.row("fc", "")
		return c.graph(c.dense("fc", x, classes))
	}
}

// A place is the position of a unit, counted from zero.
type place struct{ stage, unit int }

func (n resNetV2) stride(r resNetRow, p place) int {
	first := !n.keras && p.stage > 0 && p.unit == 0
	last := n.keras && p.stage < len(r.units)-1 && p.unit == r.units[p.stage]-1
	if first || last {
		return 2
	}
	return 1
}

// unit is Figure 4(e) of the paper. If the number of channels changes, the
// shortcut is a projection of the activated input (appendix). The input of the
// first unit comes activated from conv1, except in Keras.
func (n resNetV2) unit(c *composer, name, x string, r resNetRow, p place) string {
	stride, width := n.stride(r, p), resNetWidths[p.stage]
	active := x
	if n.keras || p != (place{}) {
		active = n.activate(c, name+"/preact", x)
	}
	shortcut := x
	if c.channels(x) != r.outputs(width) {
		shortcut = c.linear(name+"/shortcut", active, n.conv(1, stride, r.outputs(width), n.keras))
	} else if stride > 1 {
		shortcut = c.maxPool(name+"/shortcut", x, Square(1, stride, Valid))
	}
	var y string
	if r.bottleneck {
		first, second := stride, 1
		if n.keras {
			first, second = 1, stride
		}
		y = n.activate(c, name+"/conv1", c.linear(name+"/conv1", active, n.conv(1, first, width, false)))
		y = n.activate(c, name+"/conv2", c.linear(name+"/conv2", y, n.conv(3, second, width, false)))
		y = c.linear(name+"/conv3", y, n.conv(1, 1, 4*width, n.keras))
	} else {
		y = n.activate(c, name+"/conv1", c.linear(name+"/conv1", active, n.conv(3, stride, width, false)))
		y = c.linear(name+"/conv2", y, n.conv(3, 1, width, false))
	}
	return c.add(name+"/add", Add{}, shortcut, y)
}

func (n resNetV2) conv(size, stride, filters int, bias bool) Conv {
	return Conv{Window: Square(size, stride, Pad(size/2)), Filters: filters, Bias: bias}
}

func (n resNetV2) activate(c *composer, name, x string) string {
	return c.relu(name+"/relu", c.add(name+"/bn", n.norm, x))
}
