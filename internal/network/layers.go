package network

import (
	"fmt"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
)

// layers returns the nodes of [PoolLayers] for the endpoint at, described by in,
// and the resulting tensor.
func (n *Network) layers(x *index, at TensorID, in TensorInfo) ([]*nodepb.NodeDef, TensorInfo, error) {
	nodes, out, err := PoolAverage.nodes(x, at, in)
	if err != nil {
		return nil, out, fmt.Errorf("pool %q: %w", PoolLayers, err)
	}
	maps, err := n.mapsUpTo(x, at, in)
	if err != nil {
		return nil, out, err
	}
	name, dtype := mustID(out.Tensor).Node, typeAttr(in.DataType)
	parts, width := []string{name}, out.Shape[1]
	for i, m := range maps {
		if len(m.Shape) != 4 || m.Shape[3] < 1 || m.DataType != in.DataType {
			return nil, out, fmt.Errorf("pool %q does not fit the endpoint %s before it, of %v %v", PoolLayers, m.Tensor, m.DataType, m.Shape)
		}
		if x.channelsFirst(mustID(m.Tensor).Node) {
			return nil, out, fmt.Errorf("pool %q needs channels last (NHWC)", PoolLayers)
		}
		most := fmt.Sprintf("%s/max%d", name, i+1)
		nodes = append(nodes, reduced("Max", most, mustID(m.Tensor), dtype)...)
		parts, width = append(parts, most), width+m.Shape[3]
	}
	joined := name + "/layers"
	out.Tensor, out.Shape = TensorID{joined, 0}.Name(), []int64{in.Shape[0], width}
	return append(nodes, concatenated(joined, dtype, parts)...), out, nil
}

// mapsUpTo returns the maps [N, H, W, C] among the endpoints on the path to at,
// and at itself, described by in.
func (n *Network) mapsUpTo(x *index, at TensorID, in TensorInfo) ([]TensorInfo, error) {
	g, err := n.importGraph()
	if err != nil {
		return nil, fmt.Errorf("endpoints: %w", err)
	}
	defer g.Close()
	before := x.ancestors([]string{at.Name()})
	var maps []TensorInfo
	for _, p := range n.places() {
		if p.hidden || p.at == at || !before[p.at.Node] {
			continue
		}
		m, err := describe(g, p.at)
		if err != nil {
			return nil, fmt.Errorf("endpoints: %w", err)
		}
		if m.Shape == nil || len(m.Shape) == 4 {
			maps = append(maps, m)
		}
	}
	return append(maps, in), nil
}
