package savedmodel

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	functionpb "github.com/wamuir/graft/tensorflow/core/framework/function_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	"google.golang.org/protobuf/proto"
)

const (
	maxDepth = 200     // of functions that call functions
	maxNodes = 1 << 20 // of a graph, functions inlined
)

// callNames matches the names that TensorFlow gives to calls of itself. They
// tell nothing, so nodes of the body go without them where they can.
var callNames = regexp.MustCompile(`(^|/)(Stateful)?PartitionedCall(_\d+)?(/(Stateful)?PartitionedCall(_\d+)?)*$`)

// An inliner replaces calls of functions by the functions' bodies, following
// what the roots depend on, so that functions which nothing needs may hold
// anything. What cannot be inlined stays as it is, to be refused later if it
// is still needed then.
type inliner struct {
	*graph
	ops     operations
	depth   map[string]int  // of calls around a node
	body    map[string]bool // nodes that come from a function
	effects []string        // nodes that a function runs for what they do
	done    map[string]bool
}

func newInliner(g *graph, ops operations) *inliner {
	return &inliner{graph: g, ops: ops, depth: map[string]int{}, body: map[string]bool{}, done: map[string]bool{}}
}

// run inlines all calls that the roots and the side effects of inlined
// functions depend on.
func (x *inliner) run(roots ...edge) error {
	for _, root := range roots {
		var err error
		if root.port == control {
			err = x.visit(root.node)
		} else {
			_, err = x.settle(root)
		}
		if err != nil {
			return err
		}
	}
	for i := 0; i < len(x.effects); i++ { // visiting adds to them
		if err := x.visit(x.effects[i]); err != nil {
			return err
		}
	}
	return nil
}

// settle inlines until the tensor is an output of a node that stays.
func (x *inliner) settle(e edge) (edge, error) {
	for {
		at, err := x.resolve(e)
		if err != nil {
			return edge{}, err
		}
		if err := x.visit(at.node); err != nil {
			return edge{}, err
		}
		if x.nodes[at.node] != nil {
			return at, nil
		}
	}
}

// visit inlines what a node depends on, then the node if it is a call.
func (x *inliner) visit(name string) error {
	if x.done[name] || x.nodes[name] == nil {
		return nil
	}
	x.done[name] = true
	n := x.nodes[name]
	for _, in := range n.GetInput() {
		e, err := parseEdge(in)
		if err == nil && e.port == control {
			err = x.visit(e.node)
		} else if err == nil {
			_, err = x.settle(e)
		}
		if err != nil {
			return err
		}
	}
	c, err := x.callOf(n)
	if err != nil || c == nil {
		return err
	}
	if err := x.inline(n, c); err != nil {
		return fmt.Errorf("node %q calls function %q: %w", name, c.function.GetSignature().GetName(), err)
	}
	return nil
}

// A call is a function with what it is called on.
type call struct {
	function *functionpb.FunctionDef
	given    attributes
	args     []edge
	controls []edge
}

// callOf returns the call that a node makes, or nil if it makes none that
// could be inlined.
func (x *inliner) callOf(n *nodepb.NodeDef) (*call, error) {
	inputs, err := x.inputs(n)
	if err != nil {
		return nil, err
	}
	data := slices.IndexFunc(inputs, func(e edge) bool { return e.port == control })
	if data < 0 {
		data = len(inputs)
	}
	c := &call{args: inputs[:data], controls: inputs[data:]}
	attr := n.GetAttr()["f"]
	switch n.GetOp() {
	case "PartitionedCall", "StatefulPartitionedCall":
	case "If", "StatelessIf", "Case", "StatelessCase":
		attr = x.branch(n, c)
		if attr == nil || len(c.args) == 0 {
			return nil, nil
		}
		c.args = c.args[1:]
	default:
		if x.ops.known[n.GetOp()] != nil || x.ops.functions[n.GetOp()] == nil {
			return nil, nil
		}
		c.function, c.given = x.ops.functions[n.GetOp()], n.GetAttr()
		return c, nil
	}
	c.function, c.given = x.ops.functions[attr.GetFunc().GetName()], attr.GetFunc().GetAttr()
	if c.function == nil {
		return nil, fmt.Errorf("node %q calls function %q, which the model does not have", n.GetName(), attr.GetFunc().GetName())
	}
	return c, nil
}

// inline puts the body of a function in the place of a node that calls it.
func (x *inliner) inline(n *nodepb.NodeDef, c *call) error {
	depth := x.depth[n.GetName()] + 1
	if depth > maxDepth {
		return fmt.Errorf("functions call each other over %d deep", maxDepth)
	}
	nodes := c.function.GetNodeDef()
	if len(x.nodes)+len(nodes) > maxNodes {
		return fmt.Errorf("with its functions the graph has over %d nodes", maxNodes)
	}
	signature := c.function.GetSignature()
	refs := references{}
	if err := refs.addArguments(signature, c.given, c.args); err != nil {
		return err
	}
	delete(x.nodes, n.GetName())
	x.ends[n.GetName()] = nil

	before := x.entrance(n.GetName(), c.controls)
	names := make(map[string]string, len(nodes))
	added := make([]*nodepb.NodeDef, len(nodes))
	for i, inner := range nodes {
		name := x.nameOf(n.GetName(), inner.GetName())
		names[inner.GetName()] = name
		added[i] = proto.CloneOf(inner)
		added[i].Name = name
		if err := substitute(added[i].GetAttr(), c.given); err != nil {
			return fmt.Errorf("node %q: %w", inner.GetName(), err)
		}
		x.nodes[name], x.depth[name], x.body[name] = added[i], depth, true
	}
	for i, inner := range nodes {
		op, err := x.ops.find(inner)
		if err != nil {
			refs.addUnknown(inner.GetName(), names[inner.GetName()])
			continue
		}
		outer := &nodepb.NodeDef{Name: inner.GetName(), Op: inner.GetOp(), Attr: added[i].GetAttr()}
		if err := refs.addOutputs(op, outer, names[inner.GetName()]); err != nil {
			return err
		}
	}
	for i, inner := range nodes {
		if err := connect(added[i], inner, refs, names, before); err != nil {
			return fmt.Errorf("node %q: %w", inner.GetName(), err)
		}
	}
	x.addEffects(n.GetName(), c.function, names)
	return x.addResults(n.GetName(), c, refs)
}

// nameOf chooses a node's name in the graph: that in the function, below the
// caller's as in TensorFlow, but without what TensorFlow has named by itself.
func (x *inliner) nameOf(caller, inner string) string {
	full := caller + "/" + inner
	short := inner
	if scope := callNames.ReplaceAllString(caller, ""); scope != "" {
		short = scope + "/" + inner
	}
	return x.free(short, full)
}

// entrance returns the control input that the nodes of a body get so that
// they run after what their caller had to run after; "" for none.
func (x *inliner) entrance(caller string, controls []edge) string {
	if len(controls) == 0 {
		return ""
	}
	n := &nodepb.NodeDef{Name: x.free(caller + "/entrance"), Op: "NoOp"}
	for _, e := range controls {
		n.Input = append(n.Input, e.String())
	}
	x.nodes[n.GetName()] = n
	x.body[n.GetName()] = true
	return "^" + n.GetName()
}

// connect writes a body node's inputs as a graph's.
func connect(n, inner *nodepb.NodeDef, refs references, names map[string]string, before string) error {
	n.Input = nil
	var controls []string
	for _, in := range inner.GetInput() {
		if name, ok := strings.CutPrefix(in, "^"); ok {
			switch {
			case names[name] != "":
				controls = append(controls, "^"+names[name])
			case len(refs[name]) > 0: // an argument
				controls = append(controls, "^"+refs[name][0].node)
			default:
				return fmt.Errorf("there is no node %q in the function", name)
			}
			continue
		}
		tensors, err := refs.find(in)
		if err != nil {
			return err
		}
		for _, t := range tensors {
			n.Input = append(n.Input, t.String())
		}
	}
	if before != "" {
		controls = append(controls, before)
	}
	n.Input = append(n.Input, controls...)
	return nil
}

// addEffects makes "^caller" stand for the nodes that the function must run.
// A function of TensorFlow 2 lists them; in one of TensorFlow 1 they are all
// that keep state.
func (x *inliner) addEffects(caller string, f *functionpb.FunctionDef, names map[string]string) {
	var effects []string
	for _, key := range slices.Sorted(maps.Keys(f.GetControlRet())) {
		if name := names[f.GetControlRet()[key]]; name != "" {
			effects = append(effects, name)
		}
	}
	if len(f.GetControlRet()) == 0 {
		for _, inner := range f.GetNodeDef() {
			if op, err := x.ops.find(inner); err == nil && op.GetIsStateful() {
				effects = append(effects, names[inner.GetName()])
			}
		}
	}
	x.ends[caller] = effects
	x.effects = append(x.effects, effects...)
}

// addResults makes the caller's outputs stand for what the function returns.
func (x *inliner) addResults(caller string, c *call, refs references) error {
	port := 0
	signature := c.function.GetSignature()
	for _, out := range signature.GetOutputArg() {
		ret := c.function.GetRet()[out.GetName()]
		tensors, err := refs.find(ret)
		if err != nil {
			return fmt.Errorf("output %q: %w", out.GetName(), err)
		}
		want, err := width(signature, out, c.given)
		if err != nil {
			return err
		}
		if want != len(tensors) {
			return fmt.Errorf("output %q has %d tensors, not %d", out.GetName(), len(tensors), want)
		}
		for _, t := range tensors {
			x.outputs[edge{caller, port}] = t
			port++
		}
	}
	return nil
}
