package network

import (
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
)

// A step is one node as images come to it.
type step struct {
	r       *rows
	node    *nodepb.NodeDef
	in      []ref
	spreads []spread
	outputs int
}

func (r *rows) step(node *nodepb.NodeDef) *step {
	c := &step{r: r, node: node, outputs: 1}
	for _, in := range dataInputs(node) {
		at := mustRef(in)
		s, known := r.spreads[at]
		if !known {
			s = spread{kind: unsure}
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
		return spread{kind: unsure}, ""
	case most == steady:
		return spread{}, ""
	case shapes[op]:
		return spread{kind: sized}, ""
	case op == "ZerosLike" || op == "OnesLike":
		return spread{}, ""
	case most == sized && c.even():
		return spread{}, ""
	case most == sized:
		return spread{kind: sized}, ""
	case most == unsure:
		return spread{kind: unsure}, ""
	}
	if rule := mixingRules[op]; rule != nil {
		return rule(c)
	}
	return spread{kind: unsure}, ""
}

// shapes lists operations that ask for a tensor's shape and not its values.
var shapes = set("Shape", "Size", "Rank")

// even says whether the values of a tensor whose shape follows from the number
// of images are the same for each of them: one value everywhere, or something
// repeated along the batch.
func (c *step) even() bool {
	values := 0
	switch c.node.GetOp() {
	case "Fill":
		values = 1
	case "BroadcastTo", "Tile":
	default:
		return false
	}
	return c.spreads[values].kind == steady
}

// parameters says whether the inputs from the first on depend on no image.
func (c *step) parameters(first int) bool {
	for _, s := range c.spreads[first:] {
		if s.kind > sized {
			return false
		}
	}
	return true
}

// dims returns the shape of an input.
func (c *step) dims(i int) []dim { return c.r.shape(c.in[i]) }

// out returns the shape of the first output.
func (c *step) out() []dim { return c.r.shape(ref{c.node.GetName(), 0}) }

// ints returns the values of an input that is a constant of whole numbers.
func (c *step) ints(i int) ([]int64, bool) {
	if i >= len(c.in) {
		return nil, false
	}
	return c.r.x.ints(c.in[i])
}

// axes returns the axes that a constant input lists, counted from the front.
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
