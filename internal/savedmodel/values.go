package savedmodel

import (
	"context"
	"errors"
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

// arrange returns the nodes in an order that depends on the graph alone: the
// weights, the dependencies of the outputs, and placeholders for inputs that no
// output depends on but that the signature has.
func (p *plainGraph) arrange(nodes []*nodepb.NodeDef, weights []*network.Weight) ([]*nodepb.NodeDef, error) {
	var order []*nodepb.NodeDef
	for _, w := range weights {
		handle, read := network.WeightNodes(w)
		order = append(order, handle, read)
	}
	g, err := newGraph(nil, slices.Concat(order, nodes))
	if err != nil {
		return nil, err
	}
	var roots []network.TensorID
	for _, port := range p.outputs {
		e, err := network.ParseTensorID(port.Tensor)
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

// maxShared bounds the total size of the weights relative to the checkpoint's:
// several variables may share a value.
const maxShared = 4

func (p *plainGraph) readWeights(ctx context.Context, meta *metapb.MetaGraphDef, restored map[string]place, prefix string) ([]*network.Weight, error) {
	r, err := bundle.Open(prefix)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	objects, err := savedObjects(newBudget(ctx), meta, r)
	if err != nil {
		return nil, err
	}
	places := make(map[*variable]place, len(p.variables))
	find := finder(restored, r, objects)
	for _, v := range p.variables {
		if places[v], err = find(v); err != nil {
			return nil, fmt.Errorf("variable %q: %w", v.node, err)
		}
	}
	trained := trainable(meta, objects)
	var weights []*network.Weight
	var whole bundle.Tensor
	var key string
	total := int64(0)
	for _, v := range byPlace(p.variables, places) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		at := places[v]
		if at.key != key || len(weights) == 0 {
			if whole, err = r.Tensor(at.key); err != nil {
				return nil, fmt.Errorf("variable %q: %w", v.node, err)
			}
			key = at.key
		}
		t, err := whole.Slice(at.slice)
		if err == nil {
			err = v.fits(t)
		}
		if err != nil {
			return nil, fmt.Errorf("variable %q: checkpoint %s: tensor %q: %w", v.node, prefix, at.key, err)
		}
		if total += int64(len(t.Data)); total > maxShared*r.Size() {
			return nil, fmt.Errorf("%w: the variables up to %q take more than %d times the bytes of the checkpoint", ErrUnsupported, v.node, maxShared)
		}
		weights = append(weights, &network.Weight{
			Name: v.name, DataType: v.dataType, Shape: t.Shape, Data: t.Data, Trainable: trained(v, at),
		})
	}
	return weights, nil
}

// byPlace sorts variables so that those with values in the same tensor are
// adjacent.
func byPlace(variables []*variable, places map[*variable]place) []*variable {
	return slices.SortedStableFunc(slices.Values(variables), func(a, b *variable) int {
		return strings.Compare(places[a].key, places[b].key)
	})
}

// finder returns a function that locates a variable's value: where the model's
// restore operation reads it, else where its object is stored, else, in a model
// without that operation, under its name. Keras 3 exports every variable as two
// objects, and restores one from the value of the other.
//
// Names are the last resort: objects may share a name, and their nodes may have
// other names, which may belong to a third object. The restore operation does
// not cover every variable either: tf.saved_model.save of a Keras 3 model
// writes it for copies of them.
func finder(restored map[string]place, r *bundle.Reader, objects []object) func(*variable) (place, error) {
	stored := map[int32]string{}
	named := map[string][]string{}
	for _, o := range objects {
		if _, ok := stored[o.node]; !ok {
			stored[o.node] = o.key
		}
		named[o.name] = append(named[o.name], o.key)
	}
	return func(v *variable) (place, error) {
		key, isStored := stored[v.object]
		at, isRestored := restored[v.shared]
		switch {
		case isStored && isRestored && at.key != key && !r.Same(at.key, key):
			return place{}, fmt.Errorf("its object is stored as %q, but the model restores it from %q, which has another value: the model is damaged", key, at.key)
		case isRestored:
			return at, nil
		case isStored:
			return place{key: key}, nil
		case len(restored) == 0 && len(named[v.sharedName()]) == 1:
			return place{key: named[v.sharedName()][0]}, nil
		case len(restored) == 0 && r.Has(v.sharedName()):
			return place{key: v.sharedName()}, nil
		}
		return place{}, errors.New("it has no value: neither the model's restore operation nor its objects locate one")
	}
}

// sharedName returns the name by which the variable's nodes refer to it.
func (v *variable) sharedName() string {
	_, name, _ := strings.Cut(v.shared, "/")
	return name
}

// fits compares the checkpoint's tensor with the type and shape in the graph.
func (v *variable) fits(t bundle.Tensor) error {
	if tensorflow.DataType(t.DataType) != v.dataType {
		return fmt.Errorf("the stored type is %s, the variable's %s", tensorflow.DataType(t.DataType), v.dataType)
	}
	if v.shape == nil {
		return nil
	}
	same := len(v.shape) == len(t.Shape)
	for i := 0; same && i < len(t.Shape); i++ {
		same = v.shape[i] == t.Shape[i] || v.shape[i] == -1
	}
	if !same {
		return fmt.Errorf("the stored shape is %v, the variable's %v", t.Shape, v.shape)
	}
	return nil
}

// frozenBytes is the size from which a floating-point constant is assumed to be
// a frozen weight.
const frozenBytes = 4096

// thaw turns large constants into weights, so that they can be stored, shared
// and folded as such. Frozen constants do not record whether they were trained.
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
			if e, err := network.ParseTensorID(in); err == nil && thawed[e.Node] && e.Port == 0 {
				n.Input[i] = e.Node + readSuffix
			}
		}
	}
	for i, port := range p.outputs {
		if e, err := network.ParseTensorID(port.Tensor); err == nil && thawed[e.Node] {
			p.outputs[i].Tensor = network.Output(e.Node+readSuffix, 0).Name()
		}
	}
	return nodes, weights
}

// frozen returns a constant as a weight, or nil.
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
