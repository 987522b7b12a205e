package savedmodel

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"

	"tkit/internal/network"
	"tkit/internal/savedmodel/bundle"
	"tkit/internal/tensorflow"
)

// withValues reads the variables' values and completes the network.
func (p *plainGraph) withValues(ctx context.Context, meta *metapb.MetaGraphDef, restored map[string]place, dir string) (*network.Network, error) {
	n := &network.Network{
		Graph:  &graphpb.GraphDef{Versions: p.versions},
		Inputs: p.inputs, Outputs: p.outputs,
	}
	if len(p.variables) > 0 {
		weights, err := p.readWeights(ctx, meta, restored, filepath.Join(dir, variablesPrefix))
		if err != nil {
			return nil, err
		}
		n.Weights = weights
	}
	nodes, frozen := p.thaw()
	n.Weights = append(n.Weights, frozen...)
	slices.SortFunc(n.Weights, func(a, b *network.Weight) int { return strings.Compare(a.Name, b.Name) })
	var err error
	if n.Graph.Node, err = p.arrange(nodes, n.Weights); err != nil {
		return nil, err
	}
	if err := n.Validate(); err != nil {
		return nil, err
	}
	return n, nil
}

// arrange puts the nodes in an order that follows from the graph alone: the
// weights, what the outputs depend on, and placeholders for the inputs on
// which no answer depends, which the signature asks for all the same.
func (p *plainGraph) arrange(nodes []*nodepb.NodeDef, weights []*network.Weight) ([]*nodepb.NodeDef, error) {
	var order []*nodepb.NodeDef
	for _, w := range weights {
		handle, read := network.WeightNodes(w)
		order = append(order, handle, read)
	}
	g, err := newGraph(slices.Concat(order, nodes))
	if err != nil {
		return nil, err
	}
	var roots []edge
	for _, port := range p.outputs {
		e, err := parseEdge(port.Tensor)
		if err != nil {
			return nil, err
		}
		roots = append(roots, e)
	}
	needed, err := g.reached(roots)
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, n := range order {
		there[n.GetName()] = true
	}
	for _, n := range needed {
		if !there[n.GetName()] {
			there[n.GetName()] = true
			order = append(order, n)
		}
	}
	for _, port := range p.inputs {
		if name := strings.TrimSuffix(port.Tensor, ":0"); !there[name] {
			order = append(order, network.PlaceholderNode(name, port.DataType, port.Shape))
		}
	}
	return order, nil
}

func (p *plainGraph) readWeights(ctx context.Context, meta *metapb.MetaGraphDef, restored map[string]place, prefix string) ([]*network.Weight, error) {
	r, err := bundle.Open(prefix)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	objects, err := savedObjects(meta, r)
	if err != nil {
		return nil, err
	}
	find := finder(restored, r, objects)
	trained := trainable(meta, objects)
	var weights []*network.Weight
	for _, v := range p.variables {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		at, ok := find(v)
		if !ok {
			return nil, fmt.Errorf("variable %q has no value: the model does not restore it from its checkpoint", v.node)
		}
		t, err := r.Slice(at.key, at.slice)
		if err != nil {
			return nil, fmt.Errorf("variable %q: %w", v.node, err)
		}
		if err := v.fits(t); err != nil {
			return nil, fmt.Errorf("variable %q: checkpoint %s: tensor %q: %w", v.node, prefix, at.key, err)
		}
		weights = append(weights, &network.Weight{
			Name: v.name, DataType: v.dataType, Shape: t.Shape, Data: t.Data, Trainable: trained(v, at),
		})
	}
	return weights, nil
}

// shared returns the name under which the variable's nodes find it.
func (v *variable) shared() string {
	_, name, _ := strings.Cut(v.key, "/")
	return name
}

// finder returns the function that says where a variable's value is: where the
// model's restore operation takes it from, else where its object graph says it
// is, else, in a model without that operation, under its own name.
//
// tf.saved_model.save of a Keras 3 model writes a restore operation for copies of
// its variables, so that only the object graph finds those of the signature.
// Beside an operation it is believed only if no two of its variables have one
// name: their handles have others, which may be a third one's.
func finder(restored map[string]place, r *bundle.Reader, objects []object) func(*variable) (place, bool) {
	keys := map[string][]string{}
	distinct := true
	for _, o := range objects {
		keys[o.name] = append(keys[o.name], o.key)
		distinct = distinct && len(keys[o.name]) == 1
	}
	return func(v *variable) (place, bool) {
		if at, ok := restored[v.key]; ok {
			return at, true
		}
		if named := keys[v.shared()]; len(named) == 1 && (distinct || len(restored) == 0) {
			return place{key: named[0]}, true
		}
		return place{key: v.shared()}, len(restored) == 0 && r.Has(v.shared())
	}
}

// fits checks what the checkpoint has against what the graph expects.
func (v *variable) fits(t bundle.Tensor) error {
	if tensorflow.DataType(t.DataType) != v.dataType {
		return fmt.Errorf("it holds %s, the variable %s", tensorflow.DataType(t.DataType), v.dataType)
	}
	if v.shape == nil {
		return nil
	}
	same := len(v.shape) == len(t.Shape)
	for i := 0; same && i < len(t.Shape); i++ {
		same = v.shape[i] == t.Shape[i] || v.shape[i] == -1
	}
	if !same {
		return fmt.Errorf("it has the shape %v, the variable %v", t.Shape, v.shape)
	}
	return nil
}

// frozenBytes is the size from which a constant of floating-point numbers is
// taken for a weight that was frozen into the graph.
const frozenBytes = 4096

// thaw makes weights of large constants, so that they can be stored, shared
// and folded as such. What was frozen does not say whether it was trained.
func (p *plainGraph) thaw() (nodes []*nodepb.NodeDef, weights []*network.Weight) {
	taken := map[string]bool{}
	for _, v := range p.variables {
		taken[v.name], taken[v.name+readSuffix] = true, true
	}
	for _, n := range p.nodes {
		taken[n.GetName()] = true
	}
	thawed := map[string]bool{}
	for _, n := range p.nodes {
		if w := frozen(n); w != nil && !taken[w.Name+readSuffix] {
			weights = append(weights, w)
			thawed[w.Name] = true
			continue
		}
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		for i, in := range n.GetInput() {
			if e, err := parseEdge(in); err == nil && thawed[e.node] && e.port == 0 {
				n.Input[i] = e.node + readSuffix
			}
		}
	}
	for i, port := range p.outputs {
		if e, err := parseEdge(port.Tensor); err == nil && thawed[e.node] {
			p.outputs[i].Tensor = edge{e.node + readSuffix, 0}.tensor()
		}
	}
	return nodes, weights
}

// frozen returns the weight that a constant is, or nil.
func frozen(n *nodepb.NodeDef) *network.Weight {
	t := n.GetAttr()["value"].GetTensor()
	raw := t.GetTensorContent()
	if n.GetOp() != "Const" || len(raw) < frozenBytes || len(n.GetInput()) > 0 {
		return nil
	}
	dt := tensorflow.DataType(t.GetDtype())
	switch dt {
	case tensorflow.Float32, tensorflow.Float64, tensorflow.Float16, tensorflow.BFloat16:
	default:
		return nil
	}
	size := int64(dt.Size())
	shape := shapeOf(t.GetTensorShape())
	for _, d := range shape {
		if d <= 0 || size > int64(len(raw))/d {
			return nil
		}
		size *= d
	}
	if size != int64(len(raw)) {
		return nil
	}
	return &network.Weight{Name: n.GetName(), DataType: dt, Shape: shape, Data: raw}
}
