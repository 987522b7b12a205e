package builder

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	tf "github.com/wamuir/graft/tensorflow"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	"github.com/wamuir/graft/tensorflow/op"
	"google.golang.org/protobuf/proto"

	"tkit/architectures"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// Network returns the inference form of the graph with the given weights: input
// input "images" [-1,H,W,C], outputs "probabilities" and "logits" [-1,classes].
// Every weight needed in inference must exist with its shape; those of
// auxiliary heads are ignored. The weights' bytes are shared, not copied.
func Network(g *architectures.Graph, weights []*network.Weight) (*network.Network, error) {
	s := op.NewScope()
	shape := append([]int64{-1}, dims(g.Input)...)
	images := add(s, tf.OpSpec{Type: "Placeholder", Name: architectures.Input,
		Attrs: map[string]any{"dtype": tf.Float, "shape": tf.MakeShape(shape...)}})
	built, err := Build(s, g, images, Inference)
	if err != nil {
		return nil, err
	}
	probabilities := op.Softmax(s.SubScope("probabilities"), built.Logits)
	graph, err := definition(s)
	if err != nil {
		return nil, err
	}
	kept, err := choose(built.Variables, weights)
	if err != nil {
		return nil, err
	}
	answers := []int64{-1, built.Logits.Shape().Size(1)}
	n := &network.Network{
		Graph:   graph,
		Weights: kept,
		Inputs:  []network.TensorInfo{tensorInfo(architectures.Input, images, shape)},
		Outputs: []network.TensorInfo{tensorInfo("probabilities", probabilities, answers), tensorInfo("logits", built.Logits, answers)},
	}
	if err := n.Validate(); err != nil {
		return nil, fmt.Errorf("built network: %w", err)
	}
	return n, nil
}

func tensorInfo(name string, out tf.Output, shape []int64) network.TensorInfo {
	return network.TensorInfo{Name: name, Tensor: fmt.Sprintf("%s:%d", out.Op.Name(), out.Index), DataType: tensorflow.Float32, Shape: shape}
}

func definition(s *op.Scope) (*graphpb.GraphDef, error) {
	graph, err := s.Finalize()
	if err != nil {
		return nil, err
	}
	var raw bytes.Buffer
	if _, err := graph.WriteTo(&raw); err != nil {
		return nil, fmt.Errorf("graph definition: %w", err)
	}
	def := new(graphpb.GraphDef)
	if err := proto.Unmarshal(raw.Bytes(), def); err != nil {
		return nil, fmt.Errorf("graph definition: %w", err)
	}
	return def, nil
}

// choose finds each variable's weight and checks its shape.
func choose(variables []Variable, weights []*network.Weight) ([]*network.Weight, error) {
	byName := make(map[string]*network.Weight, len(weights))
	for _, w := range weights {
		byName[w.Name] = w
	}
	kept := make([]*network.Weight, len(variables))
	for i, v := range variables {
		w, ok := byName[v.Name]
		if !ok {
			return nil, fmt.Errorf("no weight for variable %s", v.Name)
		}
		if w.DataType != tensorflow.Float32 || !slices.Equal(w.Shape, dims(v.Shape)) {
			return nil, fmt.Errorf("weight %s is %v %v, the network has float32 %v", w.Name, w.DataType, w.Shape, v.Shape)
		}
		kept[i] = w
	}
	slices.SortFunc(kept, func(a, b *network.Weight) int { return strings.Compare(a.Name, b.Name) })
	return kept, nil
}
