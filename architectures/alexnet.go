package architectures

import (
	"fmt"

	"tkit/internal/preprocessing"
)

const (
	alexNetCitation  = "A. Krizhevsky, I. Sutskever, G. E. Hinton: ImageNet Classification with Deep Convolutional Neural Networks. NIPS 2012"
	oneTowerCitation = "A. Krizhevsky: One weird trick for parallelizing convolutional neural networks. arXiv:1404.5997, 2014"
)

func alexNets() []Architecture {
	paper, oneTower := [3]int{227, 227, 3}, [3]int{224, 224, 3}
	return trainedAt(0.01, // AlexNet §5
		define("alexnet", "AlexNet in two towers", alexNetCitation, paper, 1000, preprocessing.Caffe, alexNetTwoTowers.build),
		define("alexnet-ungrouped", "AlexNet with every map connected", alexNetCitation, paper, 1000, preprocessing.Caffe, alexNetUngrouped.build),
		define("alexnet-onetower", "AlexNet in one tower", oneTowerCitation, oneTower, 1000, preprocessing.Torch, alexNetOneTower.build),
	)
}

// lrn has the constants of §3.3: a radius of 2 is the paper's n = 5.
var lrn = LRN{Radius: 2, Bias: 2, Alpha: 1e-4, Beta: .75}

// A convStack is five convolutions, the first two and the last followed by a
// pool, and three dense layers: the form of AlexNet and ZF Net.
type convStack struct {
	convs [5]convRow
	pool  Window
	// normaliseLast puts the response normalisation after the pool.
	normaliseLast bool
	// hiddenBias is the initial bias of the hidden dense layers.
	hiddenBias float64
}

// A convRow is one convolution of a convStack.
type convRow struct {
	filters, size, stride, pad, groups int
	bias                               float64 // initial
	normalised, pooled                 bool
}

// The tables: filters, size, stride, padding, groups, initial bias, normalised,
// pooled. Biases of 1 give the ReLUs positive inputs at first (§5).
var (
	alexNetTwoTowers = convStack{hiddenBias: 1, pool: Square(3, 2, Valid), convs: [5]convRow{
		{96, 11, 4, 0, 1, 0, true, true},
		{256, 5, 1, 2, 2, 1, true, true},
		{384, 3, 1, 1, 1, 0, false, false},
		{384, 3, 1, 1, 2, 1, false, false},
		{256, 3, 1, 1, 2, 1, false, true},
	}}
	alexNetUngrouped = convStack{hiddenBias: 1, pool: Square(3, 2, Valid), convs: [5]convRow{
		{96, 11, 4, 0, 1, 0, true, true},
		{256, 5, 1, 2, 1, 1, true, true},
		{384, 3, 1, 1, 1, 0, false, false},
		{384, 3, 1, 1, 1, 1, false, false},
		{256, 3, 1, 1, 1, 1, false, true},
	}}
	alexNetOneTower = convStack{hiddenBias: 1, pool: Square(3, 2, Valid), convs: [5]convRow{
		{64, 11, 4, 2, 1, 0, false, true},
		{192, 5, 1, 2, 1, 1, false, true},
		{384, 3, 1, 1, 1, 0, false, false},
		{256, 3, 1, 1, 1, 1, false, false},
		{256, 3, 1, 1, 1, 1, false, true},
	}}
)

func (n convStack) build(classes int, input [3]int) (*Graph, error) {
	c := compose(input, Init{Kind: Normal, Scale: .01})
	x := Input
	for i, r := range n.convs {
		layer := fmt.Sprintf("conv%d", i+1)
		c.row(layer, "")
		x = c.conv(layer, x, Conv{Window: Square(r.size, r.stride, Pad(r.pad)), Filters: r.filters,
			Groups: r.groups, Bias: true, BiasInit: r.bias})
		if r.normalised && !n.normaliseLast {
			x = c.add(fmt.Sprintf("norm%d", i+1), lrn, x)
		}
		if r.pooled {
			pool := fmt.Sprintf("pool%d", i+1)
			c.row(pool, "")
			x = c.maxPool(pool, x, n.pool)
		}
		if r.normalised && n.normaliseLast {
			x = c.add(fmt.Sprintf("norm%d", i+1), lrn, x)
		}
	}
	return c.graph(c.classifier(x, classes, n.hiddenBias))
}

// classifier is the end of AlexNet, also used by ZF Net and VGG: two hidden
// layers of 4096 units with dropout of one half, and the logits.
func (c *composer) classifier(x string, classes int, hiddenBias float64) string {
	c.row("fc6", "")
	x = c.add("flatten", Flatten{}, x)
	for i, name := range []string{"fc6", "fc7"} {
		if i > 0 {
			c.row(name, "")
		}
		x = c.relu(name+"/relu", c.add(name, Dense{Units: 4096, Init: c.init, BiasInit: hiddenBias}, x))
		x = c.add(name+"/dropout", Dropout{Rate: .5}, x)
	}
	c.row("fc8", "")
	return c.dense("fc8", x, classes)
}
