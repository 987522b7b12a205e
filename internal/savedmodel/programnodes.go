package savedmodel

import (
	"fmt"
	"slices"
	"strings"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// maxRank is TensorFlow's own limit on a tensor's rank.
const maxRank = 254

// isDense reports whether tensors of a type can be inputs and outputs.
func isDense(dt tensorflow.DataType) bool { return dt.Size() > 0 || dt == tensorflow.String }

func textAttribute(s string) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(s)}}
}

// plainVariables gives each variable one handle, with a unique shared name. The
// variables of TensorFlow 1, which are references to memory, become nodes that
// read such a handle.
func (r *programReader) plainVariables(nodes []*nodepb.NodeDef) error {
	for _, n := range nodes {
		if isVariable(n) {
			r.addVariable(n)
		}
	}
	for _, n := range nodes {
		switch n.GetOp() {
		case "IsVariableInitialized":
			r.nodes[n.GetName()] = network.ConstNode(n.GetName(), tensorflow.Bool, []int64{}, []byte{1})
		case "Print": // passes on its first input
			n.Op, n.Input, n.Attr = "Identity", n.GetInput()[:min(1, len(n.GetInput()))], attributes{"T": n.GetAttr()["T"]}
		case "RefSwitch", "RefMerge", "RefEnter", "RefExit", "RefNextIteration", "RefIdentity":
			n.Op = strings.TrimPrefix(n.GetOp(), "Ref")
		}
	}
	return nil
}

// addVariable turns a node into a reader or the handle of its variable.
func (r *programReader) addVariable(n *nodepb.NodeDef) {
	key := r.identity(n)
	v, known := r.variables[key]
	if !known {
		object, ok := r.captured[n.GetName()]
		if !ok {
			object = noObject
		}
		v = &variable{
			shared: variableKey(n), object: object, node: n.GetName(), name: n.GetName(), read: true,
			dataType: tensorflow.DataType(n.GetAttr()["dtype"].GetType()), shape: shapeOf(n.GetAttr()["shape"].GetShape()),
		}
		if isReference(n) {
			v.name = r.free(n.GetName() + "/handle")
		}
		r.variables[key] = v
		r.nodes[v.name] = &nodepb.NodeDef{Name: v.name, Op: "VarHandleOp", Attr: attributes{
			"dtype": n.GetAttr()["dtype"], "shape": n.GetAttr()["shape"], "shared_name": textAttribute(v.name), "container": textAttribute(""),
		}}
		if r.nodes[v.name].Attr["shape"] == nil {
			delete(r.nodes[v.name].Attr, "shape")
		}
	}
	if isReference(n) {
		n.Op, n.Input, n.Attr = "ReadVariableOp", []string{v.name}, attributes{"dtype": n.GetAttr()["dtype"]}
		return
	}
	if n.GetName() != v.name {
		r.outputs[network.Output(n.GetName(), 0)] = network.Output(v.name, 0)
	}
}

// need finds the nodes on which an entry's outputs and checks depend, up to the
// fed tensors, and determines whether they can be served. A check that cannot
// be served is left out.
func (r *programReader) need(e *entry) error {
	if e.err != nil {
		return nil
	}
	for at, name := range e.fed {
		n := r.nodes[at.Node]
		want := dataType(e.def.GetInputs()[name])
		if dt := tensorflow.DataType(n.GetAttr()["dtype"].GetType()); isPlaceholder(n) && dt != want {
			e.err = fmt.Errorf("input %q is %v, its placeholder %q is %v", name, want, n.GetName(), dt)
			return nil
		}
	}
	nodes, err := r.behind(e.roots, e.fed, e.needed)
	if err != nil {
		return err
	}
	if e.err = r.servable(nodes); e.err != nil {
		return nil
	}
	for _, n := range nodes {
		e.needed[n.GetName()] = n
	}
	var kept []string
	slices.Sort(e.checks)
	for _, check := range slices.Compact(e.checks) {
		nodes, err := r.behind([]network.TensorID{network.Output(check, network.Control)}, e.fed, e.needed)
		if err != nil {
			return err
		}
		if r.servable(nodes) != nil {
			continue
		}
		for _, n := range nodes {
			e.needed[n.GetName()] = n
		}
		kept = append(kept, check)
	}
	e.checks = kept
	return nil
}

// behind returns the nodes on which the roots depend, except those that are
// known and those that only lead to fed tensors.
func (r *programReader) behind(roots []network.TensorID, fed map[network.TensorID]string, known map[string]*nodepb.NodeDef) ([]*nodepb.NodeDef, error) {
	var found []*nodepb.NodeDef
	seen := map[string]bool{}
	stack := slices.Clone(roots)
	for len(stack) > 0 {
		at, err := r.resolveAny(stack[len(stack)-1])
		if err != nil {
			return nil, err
		}
		stack = stack[:len(stack)-1]
		for _, e := range at {
			n := r.nodes[e.Node]
			_, isFed := fed[e]
			if e.Port == network.Control && isPlaceholder(n) {
				_, isFed = fed[network.Output(e.Node, 0)]
			}
			if isFed || seen[e.Node] || known[e.Node] != nil {
				continue
			}
			seen[e.Node] = true
			found = append(found, n)
			inputs, err := r.inputs(n)
			if err != nil {
				return nil, err
			}
			stack = append(stack, inputs...)
		}
	}
	return found, nil
}

// servable returns why nodes cannot be served, or nil if they can.
func (r *programReader) servable(nodes []*nodepb.NodeDef) error {
	for _, n := range nodes {
		if n.GetOp() == "Placeholder" {
			return fmt.Errorf("%w: its outputs depend on placeholder %q, which is not an input of the signature", ErrUnsupported, n.GetName())
		}
		if err := r.library.clean(n); err != nil {
			return err
		}
		if err := r.library.check(r.library.calls(n)); err != nil {
			return fmt.Errorf("node %q (%s): %w", n.GetName(), n.GetOp(), err)
		}
	}
	return nil
}

// feedable returns the tensor to feed instead of at: at itself if the program
// computes it otherwise, else a placeholder.
func (r *programReader) feedable(at network.TensorID, dt tensorflow.DataType) network.TensorID {
	n := r.nodes[at.Node]
	if r.needed[at.Node] == nil && !(n.GetOp() == "Placeholder" && at.Port == 0) {
		to, again := r.outputs[at]
		if !again {
			to = network.Output(r.placeholder(at.Node+"/fed", dt, nil), 0)
			r.outputs[at] = to
		}
		at, n = to, r.nodes[to.Node]
	}
	if n.GetOp() == "Placeholder" {
		n.Input = nil
		for name := range n.GetAttr() {
			if name != "dtype" && name != "shape" {
				delete(n.Attr, name)
			}
		}
		r.needed[at.Node] = n
	}
	return at
}

// placeholder adds a placeholder and returns its name.
func (r *programReader) placeholder(name string, dt tensorflow.DataType, shape []int64) string {
	name = r.free(name)
	r.nodes[name] = network.PlaceholderNode(name, dt, shape)
	return name
}
