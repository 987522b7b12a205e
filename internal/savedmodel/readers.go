package savedmodel

import (
	"encoding/binary"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// readVariables removes the variables from the nodes: every reader of a
// variable is replaced by the variable's single read node in the plain form.
func (p *plainGraph) readVariables(x *inliner, shadows map[string]*nodepb.NodeDef, changed map[string]bool) error {
	r := reader{inliner: x, variables: map[string]*variable{}, values: map[network.TensorID]value{}, results: map[network.TensorID]network.TensorID{}, reached: map[string]bool{}}
	for _, n := range p.nodes {
		r.reached[n.GetName()] = true
		if isVariable(n) {
			r.add(n)
		}
	}
	r.name(shadows)
	for _, n := range p.nodes {
		if err := r.rewrite(n); err != nil {
			return err
		}
	}
	p.nodes = r.kept
	maps.Copy(x.outputs, r.results)
	for _, n := range p.nodes {
		inputs, err := x.inputs(n)
		if err != nil {
			return err
		}
		n.Input = nil
		for _, e := range inputs {
			n.Input = append(n.Input, e.String())
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.variables)) {
		v := r.variables[key]
		switch {
		case !v.read:
			continue
		case changed[key] || changed[v.shared]:
			return fmt.Errorf("%w: the signature changes variable %q when it runs; a network's weights are fixed: export it without layers that count or draw random numbers, such as image augmentation", ErrUnsupported, v.node)
		}
		p.variables = append(p.variables, v)
	}
	slices.SortFunc(p.variables, func(a, b *variable) int { return strings.Compare(a.name, b.name) })
	return nil
}

// A reader rewrites the nodes that read variables.
type reader struct {
	*inliner
	variables map[string]*variable
	values    map[network.TensorID]value            // handles and references, by the tensor that carries them
	results   map[network.TensorID]network.TensorID // results of removed readers, and their replacements
	reached   map[string]bool
	kept      []*nodepb.NodeDef
}

// A value is the value of the variable behind a handle.
type value struct {
	*variable
	at        network.TensorID
	reference bool // the tensor itself may be used as the value
}

func (r *reader) add(n *nodepb.NodeDef) {
	key := r.identity(n)
	v := r.variables[key]
	if v == nil {
		object, ok := r.captured[n.GetName()]
		if !ok {
			object = noObject
		}
		v = &variable{
			shared: variableKey(n), object: object, node: n.GetName(), dataType: tensorflow.DataType(n.GetAttr()["dtype"].GetType()),
			shape: shapeOf(n.GetAttr()["shape"].GetShape()),
		}
		r.variables[key] = v
	}
	r.values[network.Output(n.GetName(), 0)] = value{variable: v, reference: isReference(n)}
}

var copyName = regexp.MustCompile(`^(.+)_\d+$`)

// shadows returns, by their nodes, the variables in the graph that have no
// value. Keras exports every variable as NAME without a value and as NAME_1
// with one.
func shadows(meta *metapb.MetaGraphDef, restored map[string]place) map[string]*nodepb.NodeDef {
	found := map[string]*nodepb.NodeDef{}
	for _, n := range meta.GetGraphDef().GetNode() {
		if _, ok := restored[variableKey(n)]; !ok && len(restored) > 0 && n.GetOp() == "VarHandleOp" {
			found[n.GetName()] = n
		}
	}
	return found
}

// name names the variables after their nodes, except that NAME_1 gets its
// shadow's name.
func (r *reader) name(shadows map[string]*nodepb.NodeDef) {
	byNode := map[string]*variable{}
	for _, v := range r.variables {
		byNode[v.node] = v
	}
	for _, node := range slices.Sorted(maps.Keys(byNode)) {
		v := byNode[node]
		v.name = node
		if m := copyName.FindStringSubmatch(node); m != nil {
			shadow := shadows[m[1]]
			if shadow != nil && !r.reached[m[1]] && sameType(shadow, r.nodes[node]) {
				v.name = m[1]
				delete(shadows, m[1])
			}
		}
		reading := v.name + readSuffix
		if r.reached[reading] && !r.reads(r.nodes[reading], v) {
			v.name = r.free(v.name + "/variable")
			reading = v.name + readSuffix
		}
		handle, read := network.WeightNodes(&network.Weight{Name: v.name, DataType: v.dataType, Shape: v.shape})
		r.nodes[v.name], r.nodes[reading] = handle, read
	}
	for at, v := range r.values {
		v.at = network.Output(v.name+readSuffix, 0)
		r.values[at] = v
	}
}

const readSuffix = "/read"

func sameType(a, b *nodepb.NodeDef) bool {
	return proto.Equal(a.GetAttr()["dtype"], b.GetAttr()["dtype"]) && proto.Equal(a.GetAttr()["shape"], b.GetAttr()["shape"])
}

// reads reports whether a node only reads the variable, like the read node in
// graphs of TensorFlow 1.
func (r *reader) reads(n *nodepb.NodeDef, v *variable) bool {
	if n.GetOp() != "Identity" && n.GetOp() != "ReadVariableOp" || len(n.GetInput()) == 0 {
		return false
	}
	e, err := network.ParseTensorID(n.GetInput()[0])
	return err == nil && r.values[e].variable == v
}

// rewrite replaces a node's inputs by the variables' values, and keeps the node
// unless it only read a variable.
func (r *reader) rewrite(n *nodepb.NodeDef) error {
	if isVariable(n) {
		return nil
	}
	for i, in := range n.GetInput() {
		e, err := network.ParseTensorID(in)
		if err != nil {
			return err
		}
		if e.Port == network.Control {
			break
		}
		at, err := r.resolve(e)
		if err != nil {
			return err
		}
		v, ok := r.values[at]
		switch {
		case !ok:
			continue
		case i == 0 && r.ops.changes(n):
			return fmt.Errorf("%w: node %q (%s) changes variable %q when the signature runs; a network's weights are fixed", ErrUnsupported, n.GetName(), n.GetOp(), v.node)
		case !v.reference:
			return r.rewriteHandle(n, i, v)
		case n.GetOp() == "IsVariableInitialized":
			r.keep(network.ConstNode(n.GetName(), tensorflow.Bool, []int64{}, []byte{1}))
			return nil
		case n.GetName() == v.at.Node: // the read node, which the plain form creates
			v.read = true
			return nil
		}
		n.Op = strings.TrimPrefix(n.GetOp(), "Ref")
		n.Input[i] = v.at.String()
		v.read = true
	}
	r.keep(n)
	return nil
}

// keep adds a node to the plain graph.
func (r *reader) keep(n *nodepb.NodeDef) {
	r.nodes[n.GetName()] = n
	r.kept = append(r.kept, n)
}

// rewriteHandle rewrites a node whose input i is the handle of a variable.
func (r *reader) rewriteHandle(n *nodepb.NodeDef, i int, v value) error {
	out := network.Output(n.GetName(), 0)
	dataType := r.nodes[v.name].GetAttr()["dtype"]
	switch n.GetOp() {
	case "ReadVariableOp":
		v.read = true
		if out != v.at {
			r.results[out] = v.at
		}
		return nil
	case "Identity":
		r.values[out] = v
		return nil
	case "Switch", "Enter":
		if i != 0 {
			break
		}
		// A branch or a loop is passed the value.
		v.read = true
		n.Input[0] = v.at.String()
		n.Attr["T"] = dataType
		for port := range 2 {
			passed := network.Output(n.GetName(), port)
			r.values[passed] = value{variable: v.variable, at: passed}
		}
		r.keep(n)
		return nil
	case "ResourceGather":
		r.rewriteGather(n, v)
		return nil
	case "ResourceGatherNd":
		v.read = true
		n.Op = "GatherNd"
		n.Input[0] = v.at.String()
		n.Attr = attributes{"Tparams": dataType, "Tindices": n.GetAttr()["Tindices"]}
		r.keep(n)
		return nil
	case "VarIsInitializedOp":
		r.keep(network.ConstNode(n.GetName(), tensorflow.Bool, []int64{}, []byte{1}))
		return nil
	case "VariableShape":
		if v.shape == nil || slices.Contains(v.shape, -1) {
			break
		}
		r.keep(shapeConst(n, v.shape))
		return nil
	}
	if err := network.CheckOperation(n); err != nil {
		return fmt.Errorf("%w: %w, and uses variable %q", ErrUnsupported, err, v.node)
	}
	return fmt.Errorf("%w: node %q (%s) uses variable %q other than by reading it", ErrUnsupported, n.GetName(), n.GetOp(), v.node)
}

// rewriteGather makes a gather from a variable one from its value.
func (r *reader) rewriteGather(n *nodepb.NodeDef, v value) {
	dataType := r.nodes[v.name].GetAttr()["dtype"]
	v.read = true
	batch := n.GetAttr()["batch_dims"].GetI()
	axis := network.ConstNode(r.free(n.GetName()+"/axis"), tensorflow.Int32, []int64{}, binary.LittleEndian.AppendUint32(nil, uint32(batch)))
	r.keep(axis)
	n.Op = "GatherV2"
	n.Input = []string{v.at.String(), n.GetInput()[1], axis.GetName()}
	n.Attr = attributes{"Tparams": dataType, "Tindices": n.GetAttr()["Tindices"], "Taxis": axis.GetAttr()["dtype"], "batch_dims": n.GetAttr()["batch_dims"]}
	if n.Attr["batch_dims"] == nil {
		delete(n.Attr, "batch_dims")
	}
	r.keep(n)
}

// shapeConst replaces a node that returns a variable's shape by a constant.
func shapeConst(n *nodepb.NodeDef, shape []int64) *nodepb.NodeDef {
	dt := tensorflow.Int32
	if tensorflow.DataType(n.GetAttr()["out_type"].GetType()) == tensorflow.Int64 {
		dt = tensorflow.Int64
	}
	var raw []byte
	for _, d := range shape {
		if dt == tensorflow.Int64 {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(d))
		} else {
			raw = binary.LittleEndian.AppendUint32(raw, uint32(d))
		}
	}
	return network.ConstNode(n.GetName(), dt, []int64{int64(len(shape))}, raw)
}
