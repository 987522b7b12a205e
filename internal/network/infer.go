package network

import (
	"fmt"

	"tkit/internal/tensorflow"
)

// importGraph imports the graph into TensorFlow, which checks operations, types
// and shapes. Inputs get their declared shapes, which may be more specific than
// those of the placeholders.
func (n *Network) importGraph() (*tensorflow.Graph, error) {
	nodes := n.Graph.GetNode()
	shapes := make(map[string][]int64)
	for _, p := range n.Inputs {
		if p.Shape != nil {
			shapes[mustID(p.Tensor).Node] = p.Shape
		}
	}
	shaped := nodes[:0:0]
	for _, node := range nodes {
		if shape, ok := shapes[node.GetName()]; ok {
			node = PlaceholderNode(node.GetName(), attrType(node, "dtype"), shape)
		}
		shaped = append(shaped, node)
	}
	return tensorflow.ImportGraph(withVersions(n.Graph, shaped))
}

// describe returns the inferred type and shape of a tensor.
func (n *Network) describe(r TensorID) (TensorInfo, error) {
	g, err := n.importGraph()
	if err != nil {
		return TensorInfo{}, err
	}
	defer g.Close()
	return describe(g, r)
}

func describe(g *tensorflow.Graph, r TensorID) (TensorInfo, error) {
	shape, err := g.Shape(r.Name())
	if err != nil {
		return TensorInfo{}, fmt.Errorf("shape of %q: %w", r.Name(), err)
	}
	dt, err := g.DataType(r.Name())
	if err != nil {
		return TensorInfo{}, fmt.Errorf("type of %q: %w", r.Name(), err)
	}
	return TensorInfo{Tensor: r.Name(), DataType: dt, Shape: shape}, nil
}
