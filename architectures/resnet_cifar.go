package architectures

import (
	"fmt"

	"tkit/internal/preprocessing"
)

// cifarResNets are the networks of He et al., "Deep Residual Learning", §4.2:
// 6n+2 layers for 32×32 inputs, three stages of n units, option A shortcuts.
func cifarResNets() []Architecture {
	var all []Architecture
	for _, n := range []int{3, 5, 7, 9, 18} {
		depth := 6*n + 2
		all = append(all, define(fmt.Sprintf("resnet%d-cifar", depth),
			fmt.Sprintf("ResNet-%d for 32×32 inputs", depth),
			resNetCitation, [3]int{32, 32, 3}, 10, preprocessing.TF,
			func(classes int, input [3]int) (*Graph, error) { return cifarResNet(n, classes, input) }))
	}
	return all
}

func cifarResNet(n, classes int, input [3]int) (*Graph, error) {
	c := compose(input, Init{Kind: HeNormal})
	c.norm = &BatchNorm{Epsilon: 1e-5, Momentum: .9}
	c.row("conv1", "")
	x := c.conv("conv1", Input, Conv{Window: Square(3, 1, Same), Filters: 16})
	for stage, width := range []int{16, 32, 64} {
		scope := fmt.Sprintf("conv%d", stage+2)
		c.row(scope+"_x", fmt.Sprintf("[3×3, %d; 3×3, %d] × %d", width, width, n))
		for unit := range n {
			stride := 1
			if stage > 0 && unit == 0 {
				stride = 2
			}
			x = cifarUnit(c, fmt.Sprintf("%s/block%d", scope, unit+1), x, width, stride)
		}
	}
	c.row("pool", "")
	x = c.add("pool", GlobalAverage{}, x)
	c.row("fc", "")
	return c.graph(c.dense("fc", x, classes))
}

func cifarUnit(c *composer, name, x string, width, stride int) string {
	shortcut := x
	if stride > 1 || c.channels(x) != width {
		shortcut = c.add(name+"/shortcut", PadShortcut{Stride: stride, Channels: width}, x)
	}
	y := c.conv(name+"/conv1", x, Conv{Window: Square(3, stride, Pad(1)), Filters: width})
	y = c.linear(name+"/conv2", y, Conv{Window: Square(3, 1, Same), Filters: width})
	return c.relu(name+"/out", c.add(name+"/add", Add{}, y, shortcut))
}
