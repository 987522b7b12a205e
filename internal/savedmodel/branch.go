package savedmodel

import (
	"slices"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/network"
)

// branch returns the function that a conditional calls, or nil if that depends
// on more than constants. Many models test at run time what is constant in the
// saved model, above all whether they are being trained.
func (x *inliner) branch(n *nodepb.NodeDef, c *call) *attrpb.AttrValue {
	if len(c.args) == 0 {
		return nil
	}
	value, ok := x.constant(c.args[0])
	if !ok {
		return nil
	}
	switch n.GetOp() {
	case "If", "StatelessIf":
		if value != 0 {
			return n.GetAttr()["then_branch"]
		}
		return n.GetAttr()["else_branch"]
	default: // Case: an index out of range selects the last
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

// maxConstantSteps bounds how much of a graph is evaluated for a condition.
const maxConstantSteps = 256

// constant returns the value of a boolean or integer scalar if it is the same
// in every run.
func (g *graph) constant(e network.TensorID) (int64, bool) {
	c := constants{graph: g, known: map[network.TensorID]settled{}}
	s := c.of(e)
	return s.value, s.ok && g.spend(len(c.known)) == nil
}

// constants computes constant scalars, each once.
type constants struct {
	*graph
	known map[network.TensorID]settled
}

// A settled scalar has a known value if ok.
type settled struct {
	value int64
	ok    bool
}

func (c *constants) of(e network.TensorID) settled {
	at, err := c.resolve(e)
	if err != nil || len(c.known) == maxConstantSteps {
		return settled{}
	}
	s, ok := c.known[at]
	if !ok {
		c.known[at] = settled{} // while being computed
		s = c.compute(c.nodes[at.Node])
		c.known[at] = s
	}
	return s
}

func (c *constants) compute(n *nodepb.NodeDef) settled {
	if n.GetOp() == "Const" {
		value, ok := scalar(n)
		return settled{value, ok}
	}
	if len(n.GetInput()) > maxConstantSteps {
		return settled{}
	}
	var in []int64
	for _, input := range n.GetInput() {
		from, err := network.ParseTensorID(input)
		if err != nil || from.Port == network.Control {
			break
		}
		s := c.of(from)
		if !s.ok {
			return settled{}
		}
		in = append(in, s.value)
	}
	truth := func(b bool) settled {
		if b {
			return settled{1, true}
		}
		return settled{0, true}
	}
	switch op := n.GetOp(); {
	case len(in) == 1 && slices.Contains([]string{"Identity", "StopGradient", "PlaceholderWithDefault"}, op):
		return settled{in[0], true}
	case len(in) == 1 && op == "LogicalNot":
		return truth(in[0] == 0)
	case len(in) == 2 && op == "LogicalAnd":
		return truth(in[0] != 0 && in[1] != 0)
	case len(in) == 2 && op == "LogicalOr":
		return truth(in[0] != 0 || in[1] != 0)
	}
	return settled{}
}

// scalar returns the value of a constant node with one boolean or integer.
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
