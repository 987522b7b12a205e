package savedmodel

import (
	"slices"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
)

// branch returns the function that a conditional takes, or nil when that
// depends on more than constants. Models ask at run time what was settled at
// saving, above all whether they are being trained.
func (x *inliner) branch(n *nodepb.NodeDef, c *call) *attrpb.AttrValue {
	if len(c.args) == 0 {
		return nil
	}
	value, ok := x.constant(c.args[0], 0)
	if !ok {
		return nil
	}
	switch n.GetOp() {
	case "If", "StatelessIf":
		if value != 0 {
			return n.GetAttr()["then_branch"]
		}
		return n.GetAttr()["else_branch"]
	default: // Case: an index out of range means the last
		branches := n.GetAttr()["branches"].GetList().GetFunc()
		if len(branches) == 0 {
			return nil
		}
		if value < 0 || value >= int64(len(branches)) {
			value = int64(len(branches) - 1)
		}
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_Func{Func: branches[value]}}
	}
}

// maxConstantDepth bounds how far a condition is followed.
const maxConstantDepth = 50

// constant returns the value of a scalar of a boolean or whole number if it is
// the same on every run.
func (g *graph) constant(e edge, depth int) (int64, bool) {
	if depth > maxConstantDepth {
		return 0, false
	}
	at, err := g.resolve(e)
	if err != nil {
		return 0, false
	}
	n := g.nodes[at.node]
	if n.GetOp() == "Const" {
		return scalar(n)
	}
	var in []int64
	for _, input := range n.GetInput() {
		from, err := parseEdge(input)
		if err != nil || from.port == control {
			break
		}
		v, ok := g.constant(from, depth+1)
		if !ok {
			return 0, false
		}
		in = append(in, v)
	}
	truth := func(b bool) (int64, bool) {
		if b {
			return 1, true
		}
		return 0, true
	}
	switch op := n.GetOp(); {
	case len(in) == 1 && slices.Contains([]string{"Identity", "StopGradient", "PlaceholderWithDefault"}, op):
		return in[0], true
	case len(in) == 1 && op == "LogicalNot":
		return truth(in[0] == 0)
	case len(in) == 2 && op == "LogicalAnd":
		return truth(in[0] != 0 && in[1] != 0)
	case len(in) == 2 && op == "LogicalOr":
		return truth(in[0] != 0 || in[1] != 0)
	}
	return 0, false
}

// scalar returns the value of a constant node of one boolean or whole number.
func scalar(n *nodepb.NodeDef) (int64, bool) {
	t := n.GetAttr()["value"].GetTensor()
	if t == nil || len(t.GetTensorShape().GetDim()) > 0 {
		return 0, false
	}
	switch {
	case len(t.GetBoolVal()) == 1 && t.GetBoolVal()[0]:
		return 1, true
	case len(t.GetBoolVal()) == 1:
		return 0, true
	case len(t.GetIntVal()) == 1:
		return int64(t.GetIntVal()[0]), true
	case len(t.GetInt64Val()) == 1:
		return t.GetInt64Val()[0], true
	}
	raw := t.GetTensorContent()
	if len(raw) == 0 || len(raw) > 8 {
		return 0, false
	}
	if slices.Max(raw) == 0 {
		return 0, true
	}
	value := int64(0)
	for i, b := range raw {
		value |= int64(b) << (8 * i)
	}
	return value, true
}
