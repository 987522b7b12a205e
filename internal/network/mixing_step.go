package network

import (
	"slices"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
)

// A step is one node with the spreads of its inputs.
type step struct {
	r       *rows
	node    *nodepb.NodeDef
	in      []TensorID
	spreads []spread
	outputs int
}

func (r *rows) step(node *nodepb.NodeDef) *step {
	c := &step{r: r, node: node, outputs: 1}
	for _, in := range dataInputs(node) {
		at := mustID(in)
		s, known := r.spreads[at]
		if !known {
			s = undecided
		}
		c.in, c.spreads = append(c.in, at), append(c.spreads, s)
	}
	switch node.GetOp() {
	case "Split", "SplitV":
		c.outputs = int(node.GetAttr()["num_split"].GetI())
	case "Unpack":
		c.outputs = int(node.GetAttr()["num"].GetI())
	case "TopK", "TopKV2":
		c.outputs = 2
	}
	return c
}

// result returns the spread of the outputs, or why they mix images.
func (c *step) result() (spread, string) {
	op := c.node.GetOp()
	most := steady
	for _, s := range c.spreads {
		most = max(most, s.kind)
	}
	switch {
	case op == "Placeholder":
		return spread{kind: images, outer: 1}, ""
	case controlFlow[op]:
		return undecided, ""
	case most == steady:
		return spread{}, ""
	case shapes[op]:
		return spread{kind: sized}, ""
	case repeats[op] && c.spreads[repeated(op)].kind == steady, op == "ZerosLike" || op == "OnesLike":
		return c.repeatSpread(), ""
	case most == even:
		return c.evenSpread(), ""
	case most == sized:
		return spread{kind: sized}, ""
	case most == unsure:
		return undecided, ""
	}
	return c.rule()
}

// rule applies the operation's rule. Even values count as images.
func (c *step) rule() (spread, string) {
	rule := mixingRules[c.node.GetOp()]
	if rule == nil {
		return undecided, ""
	}
	for i := range c.spreads {
		if c.spreads[i].kind == even {
			c.spreads[i].kind = images
		}
	}
	return rule(c)
}

// evenSpread returns the spread of a result computed from even values only. It is
// even if the rule keeps images apart; otherwise it may depend on their number.
func (c *step) evenSpread() spread {
	s, _ := c.rule()
	if s.kind != images {
		return spread{kind: sized}
	}
	s.kind = even
	return s
}

// shapes lists operations that use a tensor's shape and not its values.
var shapes = set("Shape", "ShapeN", "Size", "Rank")

// repeats lists the operations that repeat a value according to a shape.
var repeats = set("Fill", "BroadcastTo", "Tile")

// repeated returns the index of the input that the operation repeats.
func repeated(op string) int {
	if op == "Fill" {
		return 1
	}
	return 0
}

// repeatSpread returns the spread of values repeated along the batch, or of one value
// everywhere.
func (c *step) repeatSpread() spread {
	out := c.out()
	if axis := slices.IndexFunc(out, func(d dim) bool { return d.batch > 0 }); axis >= 0 {
		return spread{even, axis, 1}
	}
	if out == nil || slices.Contains(out, dim{}) {
		return spread{kind: sized}
	}
	return spread{}
}

// parameters reports whether the inputs from the first on are the same for all
// batches.
func (c *step) parameters(first int) bool {
	for _, s := range c.spreads[first:] {
		if s.kind != steady {
			return false
		}
	}
	return true
}

// shaped reports whether, in an input that defines the output's shape, only the
// batch dimension depends on the number of images.
func (c *step) shaped(i int) bool {
	switch c.spreads[i].kind {
	case steady:
		return true
	case sized:
		out := c.out()
		return out != nil && !slices.Contains(out, dim{})
	}
	return false
}

// dims returns the shape of an input.
func (c *step) dims(i int) []dim { return c.r.shape(c.in[i]) }

// out returns the shape of the first output.
func (c *step) out() []dim { return c.r.shape(TensorID{c.node.GetName(), 0}) }

// ints returns the values of an input that is an integer constant.
func (c *step) ints(i int) ([]int64, bool) {
	if i >= len(c.in) {
		return nil, false
	}
	return c.r.x.ints(c.in[i])
}

// axes returns the axes in a constant input, counted from the front.
func (c *step) axes(i, rank int) ([]int, bool) {
	values, ok := c.ints(i)
	if !ok {
		return nil, false
	}
	var axes []int
	for _, v := range values {
		if v < 0 {
			v += int64(rank)
		}
		axes = append(axes, int(v))
	}
	return axes, true
}
