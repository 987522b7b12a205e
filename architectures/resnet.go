package architectures

import (
	"fmt"

	"tkit/internal/preprocessing"
)

const resNetCitation = "K. He, X. Zhang, S. Ren, J. Sun: Deep Residual Learning for Image Recognition. CVPR 2016, arXiv:1512.03385"

// resNetTable is Table 1 of the paper: the units of each stage, and whether a
// unit is two convolutions of 3×3 or a bottleneck unit of 1×1, 3×3, 1×1.
var resNetTable = []resNetRow{
	{18, false, [4]int{2, 2, 2, 2}},
	{34, false, [4]int{3, 4, 6, 3}},
	{50, true, [4]int{3, 4, 6, 3}},
	{101, true, [4]int{3, 4, 23, 3}},
	{152, true, [4]int{3, 8, 36, 3}},
}

type resNetRow struct {
	depth      int
	bottleneck bool
	units      [4]int
}

var resNetWidths = [4]int{64, 128, 256, 512}

func (r resNetRow) outputs(width int) int {
	if r.bottleneck {
		return 4 * width
	}
	return width
}

func (r resNetRow) note(stage int) string {
	w := resNetWidths[stage]
	if r.bottleneck {
		return fmt.Sprintf("[1×1, %d; 3×3, %d; 1×1, %d] × %d", w, w, 4*w, r.units[stage])
	}
	return fmt.Sprintf("[3×3, %d; 3×3, %d] × %d", w, w, r.units[stage])
}

// A resNet is a variant of the first version of the design.
type resNet struct {
	norm BatchNorm
	// bias gives the convolutions a bias, which the following batch
	// normalisation makes redundant.
	bias bool
	// strideInside moves the stride of a bottleneck unit from its first
	// convolution to the 3×3 one.
	strideInside bool
}

func resNets() []Architecture {
	input := [3]int{224, 224, 3}
	norm := BatchNorm{Epsilon: 1e-5, Momentum: .9}
	var paper, later, keras []Architecture
	for _, r := range resNetTable {
		name, title := fmt.Sprintf("resnet%d", r.depth), fmt.Sprintf("ResNet-%d", r.depth)
		paper = append(paper, define(name, title, resNetCitation, input, 1000, preprocessing.Caffe,
			resNet{norm: norm}.builder(r)))
		if !r.bottleneck {
			continue // the later versions differ only in the bottleneck unit
		}
		later = append(later, define(name+"v1.5", title+" v1.5: the 3×3 convolutions stride, as in torchvision", resNetCitation, input, 1000, preprocessing.Torch,
			resNet{norm: norm, strideInside: true}.builder(r)))
		keras = append(keras, define(name+"-keras", title+" as in Keras: convolutions with bias", resNetCitation, input, 1000, preprocessing.Caffe,
			resNet{norm: BatchNorm{Epsilon: 1.001e-5, Momentum: .99}, bias: true}.builder(r)))
	}
	return append(append(paper, later...), keras...)
}

func (n resNet) builder(r resNetRow) func(int, [3]int) (*Graph, error) {
	return func(classes int, input [3]int) (*Graph, error) {
		c := compose(input, Init{Kind: HeNormal})
		c.norm = &n.norm
		c.row("conv1", "")
		x := c.conv("conv1", Input, Conv{Window: Square(7, 2, Pad(3)), Filters: 64, Bias: n.bias})
		c.row("pool1", "")
		x = c.maxPool("pool1", x, Square(3, 2, Pad(1)))
		for stage, width := range resNetWidths {
			scope := fmt.Sprintf("conv%d", stage+2)
			c.row(scope+"_x", r.note(stage))
			for unit := range r.units[stage] {
				stride := 1
				if stage > 0 && unit == 0 {
					stride = 2
				}
				x = n.unit(c, fmt.Sprintf("%s/block%d", scope, unit+1), x, r, width, stride)
			}
		}
		c.row("pool", "")
		x = c.add("pool", GlobalAverage{}, x)
		c.row("fc", "")
		return c.graph(c.dense("fc", x, classes))
	}
}

// unit is Figure 5 of the paper, with a projection if the size changes (option
// B).
func (n resNet) unit(c *composer, name, x string, r resNetRow, width, stride int) string {
	conv := func(size, stride, filters int) Conv {
		return Conv{Window: Square(size, stride, Pad(size/2)), Filters: filters, Bias: n.bias}
	}
	shortcut, outputs := x, r.outputs(width)
	if stride > 1 || c.channels(x) != outputs {
		shortcut = c.linear(name+"/shortcut", x, conv(1, stride, outputs))
	}
	var y string
	if r.bottleneck {
		first, second := stride, 1
		if n.strideInside {
			first, second = 1, stride
		}
		y = c.conv(name+"/conv1", x, conv(1, first, width))
		y = c.conv(name+"/conv2", y, conv(3, second, width))
		y = c.linear(name+"/conv3", y, conv(1, 1, outputs))
	} else {
		y = c.conv(name+"/conv1", x, conv(3, stride, width))
		y = c.linear(name+"/conv2", y, conv(3, 1, width))
	}
	return c.relu(name+"/out", c.add(name+"/add", Add{}, shortcut, y))
}
