package savedmodel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	versionspb "github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// A plainGraph is a signature's graph without functions, with its variables
// identified but without values.
type plainGraph struct {
	nodes     []*nodepb.NodeDef // except those of the variables
	versions  *versionspb.VersionDef
	inputs    []network.TensorInfo
	outputs   []network.TensorInfo
	variables []*variable
	notes     []string // changes that the user should know
}

// plain extracts a signature's graph from a meta graph whose restored variables
// are known.
func plain(b *budget, meta *metapb.MetaGraphDef, signature *metapb.SignatureDef, ops operations, restored map[string]place) (*plainGraph, error) {
	x, err := newInliner(b, meta, ops)
	if err != nil {
		return nil, err
	}
	p := &plainGraph{versions: meta.GetGraphDef().GetVersions()}
	if err := p.addInputs(x.graph, signature); err != nil {
		return nil, err
	}
	roots, err := signatureOutputs(signature)
	if err != nil {
		return nil, err
	}
	if err := x.run(roots...); err != nil {
		return nil, err
	}
	statistics := x.settleStatistics(p.inputs)
	if statistics.settled > 0 {
		p.notes = append(p.notes, fmt.Sprintf("batch normalisation was saved in training mode: as in inference, its moving averages are used "+
			"instead of the statistics of each batch (%d of them)", statistics.settled))
	}
	changed, err := x.changedVariables(roots, statistics.updates)
	if err != nil {
		return nil, err
	}
	if p.nodes, err = x.simplify(roots); err != nil {
		return nil, err
	}
	if err := checkInputs(p.nodes, x.ops); err != nil {
		return nil, err
	}
	if err := p.readVariables(x, shadows(meta, restored), changed); err != nil {
		return nil, err
	}
	if err := p.setOutputs(x, signature, roots); err != nil {
		return nil, err
	}
	if err := p.check(x.ops, meta.GetMetaInfoDef().GetStrippedOpList()); err != nil {
		return nil, err
	}
	return p, nil
}

// simplify removes from the inlined graph what the roots' values do not depend
// on.
func (x *inliner) simplify(roots []network.TensorID) ([]*nodepb.NodeDef, error) {
	x.settleDefaults()
	for _, step := range []func([]*nodepb.NodeDef) error{
		func(nodes []*nodepb.NodeDef) error { x.settleSwitches(nodes); return nil },
		x.dropControls,
		func(nodes []*nodepb.NodeDef) error { x.skipIdentities(nodes); return nil },
	} {
		nodes, err := x.reached(roots)
		if err != nil {
			return nil, err
		}
		if err := step(nodes); err != nil {
			return nil, err
		}
	}
	return x.reached(roots)
}

// addInputs replaces the signature's inputs by placeholders, except switches
// with a default.
func (p *plainGraph) addInputs(g *graph, signature *metapb.SignatureDef) error {
	used := map[network.TensorID]string{}
	for _, key := range slices.Sorted(maps.Keys(signature.GetInputs())) {
		e, err := tensorOf(signature.GetInputs()[key])
		if err != nil {
			return fmt.Errorf("input %q: %w", key, err)
		}
		n := g.nodes[e.Node]
		if n == nil {
			return fmt.Errorf("input %q: there is no node %q", key, e.Node)
		}
		shape := signature.GetInputs()[key].GetTensorShape()
		if n.GetOp() == "PlaceholderWithDefault" && !shape.GetUnknownRank() && len(shape.GetDim()) == 0 {
			p.notes = append(p.notes, fmt.Sprintf("input %q is left at its default", key))
			continue
		}
		if other, ok := used[e]; ok {
			return fmt.Errorf("%w: inputs %q and %q are one tensor", ErrUnsupported, other, key)
		}
		used[e] = key
		port := network.TensorInfo{Name: key, Tensor: network.Output(e.Node, 0).Name(), DataType: dataType(signature.GetInputs()[key])}
		port.Shape = shapeOf(signature.GetInputs()[key].GetTensorShape())
		isPlaceholder := strings.HasPrefix(n.GetOp(), "Placeholder")
		if isPlaceholder && port.Shape == nil {
			port.Shape = shapeOf(n.GetAttr()["shape"].GetShape())
		}
		if !isPlaceholder || e.Port != 0 {
			name := g.free(key)
			g.outputs[e] = network.Output(name, 0)
			port.Tensor = network.Output(name, 0).Name()
			e.Node = name
		}
		g.nodes[e.Node] = network.PlaceholderNode(e.Node, port.DataType, port.Shape)
		p.inputs = append(p.inputs, port)
	}
	return nil
}

func signatureOutputs(signature *metapb.SignatureDef) ([]network.TensorID, error) {
	var roots []network.TensorID
	for _, key := range slices.Sorted(maps.Keys(signature.GetOutputs())) {
		e, err := tensorOf(signature.GetOutputs()[key])
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", key, err)
		}
		roots = append(roots, e)
	}
	return roots, nil
}

// setOutputs sets the tensors of the outputs.
func (p *plainGraph) setOutputs(x *inliner, signature *metapb.SignatureDef, roots []network.TensorID) error {
	fed := map[string]bool{}
	for _, port := range p.inputs {
		fed[port.Tensor] = true
	}
	for i, key := range slices.Sorted(maps.Keys(signature.GetOutputs())) {
		at, err := x.resolve(roots[i])
		if err != nil {
			return fmt.Errorf("output %q: %w", key, err)
		}
		info := signature.GetOutputs()[key]
		if fed[at.Name()] { // TensorFlow cannot fetch a tensor that it is fed
			same := &nodepb.NodeDef{Name: x.free(key), Op: "Identity", Input: []string{at.String()},
				Attr: attributes{"T": x.nodes[at.Node].GetAttr()["dtype"]}}
			x.nodes[same.GetName()] = same
			p.nodes = append(p.nodes, same)
			at = network.Output(same.GetName(), 0)
		}
		p.outputs = append(p.outputs, network.TensorInfo{
			Name: key, Tensor: at.Name(), DataType: dataType(info), Shape: shapeOf(info.GetTensorShape()),
		})
	}
	return nil
}

// tensorOf returns the tensor named by a signature.
func tensorOf(info *metapb.TensorInfo) (network.TensorID, error) {
	switch {
	case info.GetCooSparse() != nil || info.GetCompositeTensor() != nil:
		return network.TensorID{}, fmt.Errorf("%w: it is a sparse or composite tensor", ErrUnsupported)
	case info.GetName() == "":
		return network.TensorID{}, fmt.Errorf("the signature gives no tensor name")
	}
	e, err := network.ParseTensorID(info.GetName())
	if err == nil && e.Port == network.Control {
		err = fmt.Errorf("%q is no tensor", info.GetName())
	}
	return e, err
}

func dataType(info *metapb.TensorInfo) tensorflow.DataType {
	return tensorflow.DataType(info.GetDtype())
}

// shapeOf converts a shape to that of a TensorInfo: nil for an unknown rank.
func shapeOf(p *shapepb.TensorShapeProto) []int64 {
	if p == nil || p.GetUnknownRank() {
		return nil
	}
	shape := make([]int64, len(p.GetDim()))
	for i, d := range p.GetDim() {
		shape[i] = d.GetSize()
	}
	return shape
}
