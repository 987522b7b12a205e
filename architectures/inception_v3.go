package architectures

import (
	"fmt"
	"strings"

	"tkit/internal/preprocessing"
)

const inceptionV3Citation = "C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna: Rethinking the Inception Architecture for Computer Vision. CVPR 2016, arXiv:1512.00567"

func inceptionV3s() []Architecture {
	input := [3]int{299, 299, 3}
	return []Architecture{
		define("inceptionv3", "Inception v3 as in its authors' code and Keras", inceptionV3Citation, input, 1000, preprocessing.TF,
			inceptionV3{norm: BatchNorm{Epsilon: 1e-3, Momentum: .99, NoScale: true}}.build),
		define("inceptionv3-torchvision", "Inception v3 as in torchvision: scaled batch normalisation, auxiliary head", inceptionV3Citation, input, 1000, preprocessing.Torch,
			inceptionV3{norm: BatchNorm{Epsilon: 1e-3, Momentum: .9}, torchvision: true}.build),
	}
}

// An inceptionV3 is a variant of the network.
type inceptionV3 struct {
	norm BatchNorm
	// torchvision adds the auxiliary head and dropout, and pads average pools
	// with zeros that are included in the mean.
	torchvision bool
}

// A step is one convolution of a branch: filters and window.
type step struct {
	filters int
	window  Window
}

func same(height, width, filters int) step {
	return step{filters, Window{Height: height, Width: width, Stride: 1, Padding: Same}}
}

func halve(filters int) step { return step{filters, Square(3, 2, Valid)} }

// A branch is a chain of convolutions after the module's input. If split is
// set, it ends in a 1×3 and a parallel 3×1 convolution with that many filters.
type branch struct {
	name  string
	steps []step
	split int
}

// A mixed is one module: its branches, and the projection of its pool. A module
// without projection halves the grid and uses max pooling.
type mixed struct {
	branches  []branch
	projected int
}

// inceptionV3Table lists the modules mixed0 to mixed10: Figures 5, 6 and 7 of
// the paper, with the filters of the authors' code.
var inceptionV3Table = []mixed{
	gridOf35(32), gridOf35(64), gridOf35(64),
	{branches: []branch{
		{name: "3x3", steps: []step{halve(384)}},
		{name: "3x3dbl", steps: []step{same(1, 1, 64), same(3, 3, 96), halve(96)}},
	}},
	gridOf17(128), gridOf17(160), gridOf17(160), gridOf17(192),
	{branches: []branch{
		{name: "3x3", steps: []step{same(1, 1, 192), halve(320)}},
		{name: "7x7x3", steps: []step{same(1, 1, 192), same(1, 7, 192), same(7, 1, 192), halve(192)}},
	}},
	gridOf8, gridOf8,
}

func gridOf35(projected int) mixed {
	return mixed{projected: projected, branches: []branch{
		{name: "1x1", steps: []step{same(1, 1, 64)}},
		{name: "5x5", steps: []step{same(1, 1, 48), same(5, 5, 64)}},
		{name: "3x3dbl", steps: []step{same(1, 1, 64), same(3, 3, 96), same(3, 3, 96)}},
	}}
}

func gridOf17(n int) mixed {
	return mixed{projected: 192, branches: []branch{
		{name: "1x1", steps: []step{same(1, 1, 192)}},
		{name: "7x7", steps: []step{same(1, 1, n), same(1, 7, n), same(7, 1, 192)}},
		{name: "7x7dbl", steps: []step{same(1, 1, n), same(7, 1, n), same(1, 7, n), same(7, 1, n), same(1, 7, 192)}},
	}}
}

var gridOf8 = mixed{projected: 192, branches: []branch{
	{name: "1x1", steps: []step{same(1, 1, 320)}},
	{name: "3x3", steps: []step{same(1, 1, 384)}, split: 384},
	{name: "3x3dbl", steps: []step{same(1, 1, 448), same(3, 3, 384)}, split: 384},
}}

// String formats the module as "1×1, 64; 1×1, 48 → 5×5, 64; pool → 32".
func (m mixed) String() string {
	var branches []string
	for _, b := range m.branches {
		var steps []string
		for _, s := range b.steps {
			steps = append(steps, fmt.Sprintf("%d×%d, %d", s.window.Height, s.window.Width, s.filters))
		}
		if b.split > 0 {
			steps = append(steps, fmt.Sprintf("1×3 and 3×1, %d", b.split))
		}
		branches = append(branches, strings.Join(steps, " → "))
	}
	if m.projected == 0 {
		return strings.Join(append(branches, "max pool"), "; ")
	}
	return strings.Join(append(branches, fmt.Sprintf("pool → %d", m.projected)), "; ")
}

func (n inceptionV3) build(classes int, input [3]int) (*Graph, error) {
	c := compose(input, Init{Kind: GlorotUniform})
	c.norm = &n.norm
	if n.torchvision {
		c.g.AuxiliaryWeight = .4 // the authors' code; the paper gives no number
	}
	x := n.stem(c)
	for i, m := range inceptionV3Table {
		name := fmt.Sprintf("mixed%d", i)
		c.row(name, m.String())
		x = n.module(c, name, m, x)
		if n.torchvision && i == 7 {
			n.head(c, x, classes)
		}
	}
	c.row("pool", "")
	x = c.add("pool", GlobalAverage{}, x)
	c.row("fc", "")
	if n.torchvision {
		x = c.add("dropout", Dropout{Rate: .5}, x)
	}
	return c.graph(c.dense("fc", x, classes))
}

// stem is the part before the first module: 299 to 35.
func (n inceptionV3) stem(c *composer) string {
	x := Input
	for i, s := range []step{
		halve(32), {32, Square(3, 1, Valid)}, same(3, 3, 64),
		{0, Square(3, 2, Valid)}, // pool
		{80, Square(1, 1, Valid)}, {192, Square(3, 1, Valid)},
		{0, Square(3, 2, Valid)},
	} {
		name := fmt.Sprintf("stem%d", i+1)
		c.row(name, "")
		if s.filters == 0 {
			x = c.maxPool(name, x, s.window)
		} else {
			x = c.conv(name, x, Conv{Window: s.window, Filters: s.filters})
		}
	}
	return x
}

func (n inceptionV3) module(c *composer, name string, m mixed, x string) string {
	var ends []string
	for _, b := range m.branches {
		scope, y := name+"/"+b.name, x
		for i, s := range b.steps {
			y = c.conv(fmt.Sprintf("%s/conv%d", scope, i+1), y, Conv{Window: s.window, Filters: s.filters})
		}
		if b.split > 0 {
			wide, tall := same(1, 3, b.split), same(3, 1, b.split)
			ends = append(ends, c.conv(scope+"/1x3", y, Conv{Window: wide.window, Filters: wide.filters}))
			y = c.conv(scope+"/3x1", y, Conv{Window: tall.window, Filters: tall.filters})
		}
		ends = append(ends, y)
	}
	if m.projected == 0 {
		ends = append(ends, c.maxPool(name+"/pool", x, Square(3, 2, Valid)))
	} else {
		pooled := c.add(name+"/pool", Pool{Window: Square(3, 1, Same), Average: true, ZeroPadded: n.torchvision}, x)
		ends = append(ends, c.conv(name+"/pool_proj", pooled, Conv{Window: Square(1, 1, Valid), Filters: m.projected}))
	}
	return c.add(name+"/concat", Concat{}, ends...)
}

// head is the auxiliary classifier at the end of the 17×17 grid.
func (n inceptionV3) head(c *composer, x string, classes int) {
	c.row("aux", "")
	x = c.add("aux/pool", Pool{Window: Square(5, 3, Valid), Average: true}, x)
	x = c.conv("aux/conv1", x, Conv{Window: Square(1, 1, Valid), Filters: 128})
	x = c.conv("aux/conv2", x, Conv{Window: Square(5, 1, Valid), Filters: 768})
	x = c.add("aux/average", GlobalAverage{}, x)
	c.g.Auxiliary = append(c.g.Auxiliary, c.dense("aux/fc", x, classes))
}
