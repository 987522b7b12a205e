package architectures

import (
	"fmt"

	"tkit/internal/preprocessing"
)

const googLeNetCitation = "C. Szegedy et al.: Going Deeper with Convolutions. CVPR 2015, arXiv:1409.4842"

// googLeNetTable is Table 1 of the paper from inception (3a) on: the number of
// filters of each module's convolutions.
var googLeNetTable = []struct {
	name                                                     string
	one, reduceThree, three, reduceFive, five, poolProjected int
}{
	{"3a", 64, 96, 128, 16, 32, 32},
	{"3b", 128, 128, 192, 32, 96, 64},
	{"4a", 192, 96, 208, 16, 48, 64},
	{"4b", 160, 112, 224, 24, 64, 64},
	{"4c", 128, 128, 256, 24, 64, 64},
	{"4d", 112, 144, 288, 32, 64, 64},
	{"4e", 256, 160, 320, 32, 128, 128},
	{"5a", 256, 160, 320, 32, 128, 128},
	{"5b", 384, 192, 384, 48, 128, 128},
}

// A googLeNet is a variant of the network.
type googLeNet struct {
	// norm replaces biases and response normalisation by batch normalisation.
	norm *BatchNorm
	// auxiliary adds the heads after 4a and 4d (§5).
	auxiliary bool
	// five is the filter size in the branch of 5×5.
	five int
	// poolFour is the pool between stages 4 and 5.
	poolFour Window
	dropout  float64
}

func googLeNets() []Architecture {
	input, ceil3 := [3]int{224, 224, 3}, Square(3, 2, Ceil)
	norm := &BatchNorm{Epsilon: 1e-3, Momentum: .9}
	plain := trainedAt(0.01, // by BVLC's Caffe model: the paper does not say
		define("googlenet", "GoogLeNet (Inception v1)", googLeNetCitation, input, 1000, preprocessing.Caffe,
			googLeNet{five: 5, poolFour: ceil3, dropout: .4}.build),
		define("googlenet-aux", "GoogLeNet with both auxiliary heads", googLeNetCitation, input, 1000, preprocessing.Caffe,
			googLeNet{five: 5, poolFour: ceil3, dropout: .4, auxiliary: true}.build),
	)
	return append(plain,
		define("googlenet-bn", "GoogLeNet with batch normalisation", googLeNetCitation, input, 1000, preprocessing.TF,
			googLeNet{five: 5, poolFour: ceil3, dropout: .2, norm: norm}.build),
		define("googlenet-torchvision", "GoogLeNet as in torchvision: batch normalisation, 3×3 for 5×5", googLeNetCitation, input, 1000, preprocessing.Torch,
			googLeNet{five: 3, poolFour: Square(2, 2, Ceil), dropout: .2, norm: norm}.build),
	)
}

func (n googLeNet) build(classes int, input [3]int) (*Graph, error) {
	c := compose(input, Init{Kind: GlorotUniform})
	c.norm = n.norm
	if n.auxiliary {
		c.g.AuxiliaryWeight = .3
	}
	c.row("conv1", "")
	x := n.conv(c, "conv1", Input, 64, Square(7, 2, Pad(3)))
	c.row("pool1", "")
	x = c.maxPool("pool1", x, Square(3, 2, Ceil))
	c.row("conv2_reduce", "")
	x = n.conv(c, "conv2_reduce", n.respond(c, "norm1", x), 64, Square(1, 1, Valid))
	c.row("conv2", "")
	x = n.respond(c, "norm2", n.conv(c, "conv2", x, 192, Square(3, 1, Pad(1))))
	c.row("pool2", "")
	x = c.maxPool("pool2", x, Square(3, 2, Ceil))
	for i, m := range googLeNetTable {
		c.row(m.name, fmt.Sprintf("inception: %d; %d → %d; %d → %d; pool → %d", m.one, m.reduceThree, m.three, m.reduceFive, m.five, m.poolProjected))
		one := n.conv(c, m.name+"/1x1", x, m.one, Square(1, 1, Valid))
		three := n.conv(c, m.name+"/3x3_reduce", x, m.reduceThree, Square(1, 1, Valid))
		three = n.conv(c, m.name+"/3x3", three, m.three, Square(3, 1, Pad(1)))
		five := n.conv(c, m.name+"/5x5_reduce", x, m.reduceFive, Square(1, 1, Valid))
		five = n.conv(c, m.name+"/5x5", five, m.five, Square(n.five, 1, Pad(n.five/2)))
		pooled := c.maxPool(m.name+"/pool", x, Square(3, 1, Pad(1)))
		pooled = n.conv(c, m.name+"/pool_proj", pooled, m.poolProjected, Square(1, 1, Valid))
		x = c.add(m.name+"/concat", Concat{}, one, three, five, pooled)
		if n.auxiliary && (m.name == "4a" || m.name == "4d") {
			n.head(c, "aux_"+m.name, x, classes)
		}
		if i+1 < len(googLeNetTable) && googLeNetTable[i+1].name[0] != m.name[0] {
			pool, window := "pool"+m.name[:1], Square(3, 2, Ceil)
			if m.name == "4e" {
				window = n.poolFour
			}
			c.row(pool, "")
			x = c.maxPool(pool, x, window)
		}
	}
	c.row("pool5", "")
	x = c.add("pool5", GlobalAverage{}, x)
	c.row("fc", "")
	return c.graph(c.dense("fc", c.add("dropout", Dropout{Rate: n.dropout}, x), classes))
}

// conv has a bias if no batch normalisation follows.
func (n googLeNet) conv(c *composer, name, x string, filters int, w Window) string {
	return c.conv(name, x, Conv{Window: w, Filters: filters, Bias: n.norm == nil})
}

func (n googLeNet) respond(c *composer, name, x string) string {
	if n.norm != nil {
		return x
	}
	return c.add(name, lrn, x)
}

// head is an auxiliary classifier (§5).
func (n googLeNet) head(c *composer, name, x string, classes int) {
	c.row(name, "")
	x = c.add(name+"/pool", Pool{Window: Square(5, 3, Valid), Average: true}, x)
	x = n.conv(c, name+"/conv", x, 128, Square(1, 1, Valid))
	x = c.hidden(name+"/fc1", c.add(name+"/flatten", Flatten{}, x), 1024)
	x = c.add(name+"/dropout", Dropout{Rate: .7}, x)
	c.g.Auxiliary = append(c.g.Auxiliary, c.dense(name+"/fc2", x, classes))
}
