package architectures

import (
	"fmt"

	"tkit/internal/preprocessing"
)

const vggCitation = "K. Simonyan, A. Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition. ICLR 2015, arXiv:1409.1556"

// vggTable is Table 1 of the paper, configurations A, B, D and E: the number of
// 3×3 convolutions before each pool.
var vggTable = []struct {
	depth int
	convs [5]int
}{
	{11, [5]int{1, 1, 2, 2, 2}},
	{13, [5]int{2, 2, 2, 2, 2}},
	{16, [5]int{2, 2, 3, 3, 3}},
	{19, [5]int{2, 2, 4, 4, 4}},
}

var vggWidths = [5]int{64, 128, 256, 512, 512}

func vggs() []Architecture {
	var all []Architecture
	for _, r := range vggTable {
		all = append(all, define(fmt.Sprintf("vgg%d", r.depth), fmt.Sprintf("VGG-%d", r.depth), vggCitation,
			[3]int{224, 224, 3}, 1000, preprocessing.Caffe,
			func(classes int, input [3]int) (*Graph, error) { return vgg(r.convs, classes, input) }))
	}
	return trainedAt(0.01, all...) // §3.1
}

// vgg starts from Glorot's distribution, with which the authors did not need to
// pre-train the shallow networks (§3.1).
func vgg(convs [5]int, classes int, input [3]int) (*Graph, error) {
	c := compose(input, Init{Kind: GlorotUniform})
	x := Input
	for i, width := range vggWidths {
		stage := i + 1
		c.row(fmt.Sprintf("conv%d_x", stage), fmt.Sprintf("[3×3, %d] × %d", width, convs[i]))
		for j := range convs[i] {
			x = c.conv(fmt.Sprintf("conv%d/conv%d", stage, j+1), x,
				Conv{Window: Square(3, 1, Pad(1)), Filters: width, Bias: true})
		}
		pool := fmt.Sprintf("pool%d", stage)
		c.row(pool, "")
		x = c.maxPool(pool, x, Square(2, 2, Valid))
	}
	return c.graph(c.classifier(x, classes, 0))
}
