package network

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	versionspb "github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"

	"tkit/internal/tensorflow"
)

// floats returns a trainable float32 weight.
func floats(name string, shape []int64, values ...float32) *Weight {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return &Weight{Name: name, DataType: tensorflow.Float32, Shape: shape, Data: raw, Trainable: true}
}

// assemble makes a network of nodes and weights, adding the weights' nodes.
func assemble(nodes []*nodepb.NodeDef, weights []*Weight, input string, outputs ...string) *Network {
	n := &Network{Graph: &graphpb.GraphDef{Versions: &versionspb.VersionDef{Producer: 1994}}, Weights: weights}
	for _, w := range weights {
		handle, read := WeightNodes(w)
		n.Graph.Node = append(n.Graph.Node, handle, read)
	}
	n.Graph.Node = append(n.Graph.Node, nodes...)
	slices.SortFunc(n.Weights, func(a, b *Weight) int { return strings.Compare(a.Name, b.Name) })
	for _, node := range nodes {
		if node.GetName() == input {
			n.Inputs = []Port{{Name: input, Tensor: input + ":0", DataType: attrType(node, "dtype"), Shape: shapeOf(node.GetAttr()["shape"].GetShape())}}
		}
	}
	for _, name := range outputs {
		n.Outputs = append(n.Outputs, Port{Name: name, Tensor: name + ":0", DataType: tensorflow.Float32})
	}
	return n
}
