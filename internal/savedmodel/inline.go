package savedmodel

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	functionpb "github.com/wamuir/graft/tensorflow/core/framework/function_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"

	"tkit/internal/network"
)

// maxDepth bounds functions that call functions.
const maxDepth = 200

// callNames matches the scopes that TensorFlow generates for calls. They carry
// no information, so inlined nodes omit them if possible.
var callNames = regexp.MustCompile(`(^|/)(Stateful)?PartitionedCall(_\d+)?(/(Stateful)?PartitionedCall(_\d+)?)*$`)

// An inliner replaces function calls by the functions' bodies. It starts from
// the roots, so unused functions may contain anything. Calls that cannot be
// inlined stay, and are refused later if they are still needed.
type inliner struct {
	*graph
	ops      operations
	captured map[string]int32 // variables' objects, by their nodes
	depth    map[string]int   // nesting of calls around a node
	body     map[string]bool  // nodes that come from a function
	effects  []string         // nodes that a function runs for their side effects
	done     map[string]bool  // nodes that are or were on the stack
	stack    []pending
}

// newInliner returns an inliner of a model's graph. It copies the nodes.
func newInliner(b *budget, meta *metapb.MetaGraphDef, ops operations) (*inliner, error) {
	g, err := newGraph(b, copies(meta.GetGraphDef().GetNode()))
	if err != nil {
		return nil, err
	}
	return &inliner{
		graph: g, ops: ops.with(meta.GetGraphDef().GetLibrary()), captured: captured(meta),
		depth: map[string]int{}, body: map[string]bool{}, done: map[string]bool{},
	}, nil
}

// copies returns copies of nodes without attributes about where they were
// saved. The attributes' values are shared.
func copies(nodes []*nodepb.NodeDef) []*nodepb.NodeDef {
	out := make([]*nodepb.NodeDef, len(nodes))
	for i, n := range nodes {
		out[i] = &nodepb.NodeDef{Name: n.GetName(), Op: n.GetOp(), Input: slices.Clone(n.GetInput()), Attr: maps.Clone(n.GetAttr())}
	}
	return out
}

// run inlines all calls that the roots and the side effects of inlined
// functions depend on.
func (x *inliner) run(roots ...network.TensorID) error {
	for _, root := range roots {
		if err := x.settle(root); err != nil {
			return err
		}
	}
	for i := 0; i < len(x.effects); i++ { // settle adds to them
		if err := x.settle(network.Output(x.effects[i], network.Control)); err != nil {
			return err
		}
	}
	return nil
}

// A pending node is one whose inputs are being settled.
type pending struct {
	node *nodepb.NodeDef
	next int // the input to settle next
}

// settle inlines the dependencies of a tensor or node, each node after its
// inputs, until the tensor is an output of a node that stays.
func (x *inliner) settle(root network.TensorID) error {
	for {
		entered, err := x.enter(root)
		if err != nil || !entered {
			return err
		}
		for len(x.stack) > 0 {
			if err := x.advance(); err != nil {
				return err
			}
		}
	}
}

// enter pushes the node at an edge on the stack, unless it was there before.
// After a call was inlined, the same edge leads to a different node.
func (x *inliner) enter(e network.TensorID) (bool, error) {
	if e.Port != network.Control {
		at, err := x.resolve(e)
		if err != nil {
			return false, err
		}
		e = at
	}
	n := x.nodes[e.Node]
	if n == nil || x.done[e.Node] {
		return false, nil
	}
	x.done[e.Node] = true
	x.stack = append(x.stack, pending{node: n})
	return true, nil
}

// advance settles the next input of the node on top of the stack or, after the
// last, inlines the node.
func (x *inliner) advance() error {
	top := len(x.stack) - 1
	n := x.stack[top].node
	if err := x.spend(1); err != nil {
		return err
	}
	if x.stack[top].next == len(n.GetInput()) {
		x.stack = x.stack[:top]
		return x.inlineCall(n)
	}
	e, err := network.ParseTensorID(n.GetInput()[x.stack[top].next])
	if err != nil {
		return err
	}
	entered, err := x.enter(e)
	if !entered {
		x.stack[top].next++
	}
	return err
}

// inlineCall inlines a node whose inputs are settled, if it is a call.
func (x *inliner) inlineCall(n *nodepb.NodeDef) error {
	c, err := x.callOf(n)
	if err != nil || c == nil {
		return err
	}
	if err := x.inline(n, c); err != nil {
		return fmt.Errorf("node %q calls function %q: %w", n.GetName(), c.function.GetSignature().GetName(), err)
	}
	return nil
}

// A call is a function with its arguments.
type call struct {
	function *functionpb.FunctionDef
	given    attributes
	args     []network.TensorID
	controls []network.TensorID
}

// callOf returns a node's call, or nil if it makes none that can be inlined.
func (x *inliner) callOf(n *nodepb.NodeDef) (*call, error) {
	inputs, err := x.inputs(n)
	if err != nil {
		return nil, err
	}
	data := slices.IndexFunc(inputs, func(e network.TensorID) bool { return e.Port == network.Control })
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

// inline replaces a node by the body of the function that it calls.
func (x *inliner) inline(n *nodepb.NodeDef, c *call) error {
	depth := x.depth[n.GetName()] + 1
	if depth > maxDepth {
		return fmt.Errorf("function calls are nested more than %d deep", maxDepth)
	}
	nodes := c.function.GetNodeDef()
	if len(x.nodes)+len(nodes) > maxNodes {
		return fmt.Errorf("%w: with its functions the graph has more than %d nodes", ErrUnsupported, maxNodes)
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
		attr, err := substituted(inner.GetAttr(), c.given)
		if err != nil {
			return fmt.Errorf("node %q: %w", inner.GetName(), err)
		}
		if err := x.add(1 + len(inner.GetInput()) + len(attr) + len(name)/64); err != nil {
			return err
		}
		added[i] = &nodepb.NodeDef{Name: name, Op: inner.GetOp(), Attr: attr}
		x.nodes[name], x.depth[name], x.body[name] = added[i], depth, true
	}
	if err := x.nameOutputs(refs, nodes, added); err != nil {
		return err
	}
	for i, inner := range nodes {
		if err := connect(added[i], inner, refs, names, before); err != nil {
			return fmt.Errorf("node %q: %w", inner.GetName(), err)
		}
		if err := x.add(len(added[i].GetInput())); err != nil {
			return err
		}
	}
	x.addEffects(n.GetName(), c.function, names)
	return x.addResults(n.GetName(), c, refs)
}

// nameOutputs registers the outputs of a body's nodes, whose copies in the
// graph are added.
func (x *inliner) nameOutputs(refs references, nodes, added []*nodepb.NodeDef) error {
	for i, inner := range nodes {
		op, err := x.ops.find(inner)
		if err != nil {
			refs.addUnknown(inner.GetName(), added[i].GetName())
			continue
		}
		outputs, err := refs.addOutputs(op, inner.GetName(), added[i])
		if err != nil {
			return err
		}
		if err := x.add(outputs); err != nil {
			return err
		}
	}
	return nil
}

// nameOf returns a node's name in the graph: the name in the function, below
// the caller's name as in TensorFlow, but without generated scopes.
func (x *inliner) nameOf(caller, inner string) string {
	full := caller + "/" + inner
	short := inner
	if scope := callNames.ReplaceAllString(caller, ""); scope != "" {
		short = scope + "/" + inner
	}
	return x.free(short, full)
}

// entrance returns the control input that makes the nodes of a body run after
// their caller's control inputs, or "" for none.
func (x *inliner) entrance(caller string, controls []network.TensorID) string {
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

// connect translates a body node's inputs to the graph's.
func connect(n, inner *nodepb.NodeDef, refs references, names map[string]string, before string) error {
	n.Input = nil
	var controls []string
	for _, in := range inner.GetInput() {
		if name, ok := strings.CutPrefix(in, "^"); ok {
			switch {
			case names[name] != "":
				controls = append(controls, "^"+names[name])
			case len(refs[name]) > 0: // an argument
				controls = append(controls, "^"+refs[name][0].Node)
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

// addEffects replaces "^caller" by the nodes that the function must run. A
// function of TensorFlow 2 lists them; in a function of TensorFlow 1 they are
// all stateful nodes.
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

// addResults replaces the caller's outputs by the function's results.
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
			x.outputs[network.Output(caller, port)] = t
			port++
		}
	}
	return nil
}
