package network

import (
	"errors"
	"fmt"
	"slices"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// Probe returns one trunk that computes the bottlenecks of several cuts in one
// pass. Its only output, "bottleneck" [N, Σ widths], is their concatenation in
// the order of the cuts; widths lists their lengths. Every bottleneck must
// have rank 2 and a known width.
func (n *Network) Probe(cuts []Cut) (trunk *Network, widths []int64, err error) {
	if len(cuts) == 0 {
		return nil, nil, errors.New("probe: no cuts given")
	}
	nodes := slices.Clone(n.Graph.GetNode())
	var ends []string
	var total int64
	var dtype tensorflow.DataType
	for _, c := range cuts {
		pooled, out, err := n.pooled(nodes, c)
		if err != nil {
			return nil, nil, fmt.Errorf("probe %q: %w", c.Endpoint, err)
		}
		nodes = append(nodes, pooled...)
		ends = append(ends, mustID(out.Tensor).String())
		widths = append(widths, out.Shape[1])
		total += out.Shape[1]
		dtype = out.DataType
	}
	out := TensorInfo{Name: bottleneck, Tensor: mustID(ends[0]).Name(), DataType: dtype, Shape: []int64{-1, total}}
	if len(cuts) > 1 {
		x := newIndex(nodes)
		name := x.freeName("probe")
		nodes = append(nodes, concatenated(name, typeAttr(dtype), ends)...)
		out.Tensor = TensorID{name, 0}.Name()
	}
	trunk = n.live(nodes, n.Inputs, []TensorInfo{out}, n.Weights)
	return trunk, widths, nil
}

// pooled adds the nodes that pool the endpoint of a cut to the given nodes.
func (n *Network) pooled(nodes []*nodepb.NodeDef, c Cut) ([]*nodepb.NodeDef, TensorInfo, error) {
	at, err := n.resolve(c.Endpoint)
	if err != nil {
		return nil, TensorInfo{}, err
	}
	port, err := n.describe(at)
	if err != nil {
		return nil, TensorInfo{}, err
	}
	pooled, out, err := n.pool(nodes, at, port, c.Pool)
	if err != nil {
		return nil, TensorInfo{}, err
	}
	if len(out.Shape) != 2 || out.Shape[1] < 1 {
		return nil, TensorInfo{}, fmt.Errorf("its bottleneck has the shape %v, not [N, width]: choose another pool", out.Shape)
	}
	return pooled, out, nil
}

// WithInput returns the network with its only input fixed to a shape, whose
// unknown dimensions are -1. The shape must be compatible with the input's.
func (n *Network) WithInput(shape []int64) (*Network, error) {
	in, err := n.Input("")
	if err != nil {
		return nil, err
	}
	if in.Shape != nil {
		if len(in.Shape) != len(shape) {
			return nil, fmt.Errorf("input %s has the shape %v, not %v", in.Name, in.Shape, shape)
		}
		for i, d := range in.Shape {
			if d >= 0 && shape[i] >= 0 && d != shape[i] {
				return nil, fmt.Errorf("input %s has the shape %v, not %v", in.Name, in.Shape, shape)
			}
		}
	}
	nodes := slices.Clone(n.Graph.GetNode())
	for i, node := range nodes {
		if node.GetName() == mustID(in.Tensor).Node {
			nodes[i] = PlaceholderNode(node.GetName(), in.DataType, shape)
		}
	}
	in.Shape = slices.Clone(shape)
	return n.live(nodes, []TensorInfo{in}, n.Outputs, n.Weights), nil
}
