package architectures

import (
	"math/rand/v2"

	"tkit/internal/preprocessing"
)

const lenetCitation = "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-Based Learning Applied to Document Recognition. Proceedings of the IEEE 86(11), 1998"

func lenets() []Architecture {
	input := [3]int{32, 32, 1}
	paper := define("lenet5-paper", "LeNet-5 as published: trainable subsampling, C3's connection table, RBF output", lenetCitation, input, 10, preprocessing.Unit, lenet5Paper)
	// Its distances to fixed patterns are sums of 84 squares, with
	// correspondingly large gradients.
	paper.LearningRate = 0.005
	return []Architecture{
		define("lenet5", "LeNet-5 with ReLU, max pooling, a full C3 and a softmax", lenetCitation, input, 10, preprocessing.Unit, lenet5),
		paper,
	}
}

// lenet5 has the sizes of the paper and modern units.
func lenet5(classes int, input [3]int) (*Graph, error) {
	c := compose(input, Init{Kind: HeNormal})
	c.row("C1", "")
	x := c.conv("C1", Input, Conv{Window: Square(5, 1, Valid), Filters: 6, Bias: true})
	c.row("S2", "")
	x = c.maxPool("S2", x, Square(2, 2, Valid))
	c.row("C3", "")
	x = c.conv("C3", x, Conv{Window: Square(5, 1, Valid), Filters: 16, Bias: true})
	c.row("S4", "")
	x = c.maxPool("S4", x, Square(2, 2, Valid))
	c.row("C5", "")
	x = c.hidden("C5", c.add("flatten", Flatten{}, x), 120)
	c.row("F6", "")
	x = c.hidden("F6", x, 84)
	c.row("output", "")
	return c.graph(c.dense("output", x, classes))
}

// c3Connections is Table I of the paper: the maps of S2 read by each map of C3.
var c3Connections = [][]int{
	{0, 1, 2}, {1, 2, 3}, {2, 3, 4}, {3, 4, 5}, {0, 4, 5}, {0, 1, 5},
	{0, 1, 2, 3}, {1, 2, 3, 4}, {2, 3, 4, 5}, {0, 3, 4, 5}, {0, 1, 4, 5}, {0, 1, 2, 5},
	{0, 1, 3, 4}, {1, 2, 4, 5}, {0, 2, 3, 5},
	{0, 1, 2, 3, 4, 5},
}

// lenet5Paper follows §II.B; every layer up to F6 ends with the scaled tanh of
// appendix A and starts from ±2.4/fan-in.
func lenet5Paper(classes int, input [3]int) (*Graph, error) {
	c := compose(input, Init{Kind: FanInUniform, Scale: 2.4})
	tanh := func(x string) string { return c.add(x+"/tanh", Activation{Function: ScaledTanh}, x) }
	c.row("C1", "")
	x := tanh(c.linear("C1", Input, Conv{Window: Square(5, 1, Valid), Filters: 6, Bias: true}))
	c.row("S2", "")
	x = tanh(c.add("S2", Subsampling{Size: 2, Init: c.init}, x))
	c.row("C3", "")
	x = tanh(c.linear("C3", x, Conv{Window: Square(5, 1, Valid), Filters: 16, Connections: c3Connections, Bias: true}))
	c.row("S4", "")
	x = tanh(c.add("S4", Subsampling{Size: 2, Init: c.init}, x))
	c.row("C5", "")
	x = tanh(c.linear("C5", x, Conv{Window: Square(5, 1, Valid), Filters: 120, Bias: true}))
	c.row("F6", "")
	x = tanh(c.dense("F6", c.add("flatten", Flatten{}, x), 84))
	c.row("output", "")
	return c.graph(c.add("output", RBF{Centres: centres(classes)}, x))
}

// digitBitmaps are stylised digits of 7 columns and 12 rows, like the target
// codes in Figure 3 of the paper.
var digitBitmaps = [10][12]string{
	{"  ###  ", " #   # ", "#     #", "#     #", "#     #", "#     #", "#     #", "#     #", "#     #", "#     #", " #   # ", "  ###  "},
	{"   #   ", "  ##   ", " # #   ", "   #   ", "   #   ", "   #   ", "   #   ", "   #   ", "   #   ", "   #   ", "   #   ", " ##### "},
	{" ##### ", "#     #", "#     #", "      #", "      #", "     # ", "    #  ", "   #   ", "  #    ", " #     ", "#      ", "#######"},
	{" ##### ", "#     #", "      #", "      #", "      #", "  #### ", "      #", "      #", "      #", "      #", "#     #", " ##### "},
	{"     # ", "    ## ", "   # # ", "  #  # ", " #   # ", "#    # ", "#######", "     # ", "     # ", "     # ", "     # ", "     # "},
	{"#######", "#      ", "#      ", "#      ", "###### ", "      #", "      #", "      #", "      #", "      #", "#     #", " ##### "},
	{"  #### ", " #     ", "#      ", "#      ", "#      ", "###### ", "#     #", "#     #", "#     #", "#     #", "#     #", " ##### "},
	{"#######", "#     #", "      #", "     # ", "     # ", "    #  ", "    #  ", "   #   ", "   #   ", "  #    ", "  #    ", "  #    "},
	{" ##### ", "#     #", "#     #", "#     #", "#     #", " ##### ", "#     #", "#     #", "#     #", "#     #", "#     #", " ##### "},
	{" ##### ", "#     #", "#     #", "#     #", "#     #", " ######", "      #", "      #", "      #", "      #", "     # ", " ####  "},
}

// centres returns the fixed parameters of the RBF units, ±1: the digits'
// bitmaps for up to ten classes, else random codes, which the paper recommends
// for classes without a picture. The codes are reproducible.
func centres(classes int) [][]float32 {
	random := rand.New(rand.NewPCG(1998, 84))
	out := make([][]float32, classes)
	for i := range out {
		out[i] = make([]float32, 0, 84)
		for r := range 12 {
			for k := range 7 {
				on := random.IntN(2) == 1
				if classes <= len(digitBitmaps) {
					on = digitBitmaps[i][r][k] == '#'
				}
				out[i] = append(out[i], map[bool]float32{true: 1, false: -1}[on])
			}
		}
	}
	return out
}
