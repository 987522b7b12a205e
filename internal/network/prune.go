package network

import (
	"fmt"
	"slices"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
)

// Prune returns the network that computes the outputs of those names, or all
// outputs if none is named, without the nodes, weights and inputs that they do
// not need.
func (n *Network) Prune(outputs ...string) (*Network, error) {
	keep := n.Outputs
	if len(outputs) > 0 {
		keep = nil
		for _, name := range outputs {
			p, err := n.Output(name)
			if err != nil {
				return nil, fmt.Errorf("prune: %w", err)
			}
			keep = append(keep, p)
		}
	}
	return n.live(n.Graph.GetNode(), n.Inputs, keep, n.Weights), nil
}

// live returns the network over the nodes that the outputs need, in the given
// order, with the remaining inputs and weights.
func (n *Network) live(nodes []*nodepb.NodeDef, inputs, outputs []TensorInfo, weights []*Weight) *Network {
	x := newIndex(nodes)
	var tensors []string
	for _, p := range outputs {
		tensors = append(tensors, p.Tensor)
	}
	seen := x.ancestors(tensors)
	for _, w := range weights { // a used handle keeps its read node, used or not
		if seen[w.Name] {
			seen[w.Name+readSuffix] = true
		}
	}
	var kept []*nodepb.NodeDef
	for _, node := range nodes {
		if seen[node.GetName()] {
			kept = append(kept, withoutColocation(node))
		}
	}
	inputs = slices.DeleteFunc(slices.Clone(inputs), func(p TensorInfo) bool { return !seen[mustID(p.Tensor).Node] })
	weights = slices.DeleteFunc(slices.Clone(weights), func(w *Weight) bool { return !seen[w.Name] })
	return n.derive(withVersions(n.Graph, kept), inputs, slices.Clone(outputs), weights)
}

// withoutColocation drops a colocation constraint: the other node may be gone,
// and TensorFlow would then refuse the graph.
func withoutColocation(node *nodepb.NodeDef) *nodepb.NodeDef {
	if node.GetAttr()["_class"] == nil {
		return node
	}
	node = clone(node)
	delete(node.Attr, "_class")
	return node
}
