package head

import (
	"encoding/binary"
	"fmt"
	"math"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	versionspb "github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// The names of a head network's inputs and outputs.
const (
	Bottleneck    = "bottleneck"    // [n, Dim] float32
	Logits        = "logits"        // [n, Classes] float32, the temperature applied
	Probabilities = "probabilities" // their softmax
)

// graphProducer is the version of TensorFlow's graph format of the nodes below:
// that of TensorFlow 2.18.
const graphProducer = 1994

// Network returns the head as a network of one product, one sum and one
// softmax, with standardisation and temperature folded in.
func (m *Model) Network() (*network.Network, error) {
	d, k := int64(m.Dim), int64(m.Classes)
	weights := &network.Weight{Name: "head/weights", DataType: tensorflow.Float32, Shape: []int64{d, k}, Data: m.tempered(m.Weights), Trainable: true}
	biases := &network.Weight{Name: "head/biases", DataType: tensorflow.Float32, Shape: []int64{k}, Data: m.tempered(m.Intercepts), Trainable: true}
	weightsHandle, weightsRead := network.WeightNodes(weights)
	biasesHandle, biasesRead := network.WeightNodes(biases)
	float := &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_FLOAT}}
	no := &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: false}}
	n := &network.Network{
		Graph: &graphpb.GraphDef{
			Versions: &versionspb.VersionDef{Producer: graphProducer},
			Node: []*nodepb.NodeDef{
				network.PlaceholderNode(Bottleneck, tensorflow.Float32, []int64{-1, d}),
				weightsHandle, weightsRead, biasesHandle, biasesRead,
				{
					Name: "head/product", Op: "MatMul", Input: []string{Bottleneck, weightsRead.GetName()},
					Attr: map[string]*attrpb.AttrValue{"T": float, "transpose_a": no, "transpose_b": no},
				},
				{
					Name: "head/logits", Op: "BiasAdd", Input: []string{"head/product", biasesRead.GetName()},
					Attr: map[string]*attrpb.AttrValue{"T": float, "data_format": {Value: &attrpb.AttrValue_S{S: []byte("NHWC")}}},
				},
				{
					Name: "head/probabilities", Op: "Softmax", Input: []string{"head/logits"},
					Attr: map[string]*attrpb.AttrValue{"T": float},
				},
			},
		},
		Inputs: []network.TensorInfo{{Name: Bottleneck, Tensor: Bottleneck + ":0", DataType: tensorflow.Float32, Shape: []int64{-1, d}}},
		Outputs: []network.TensorInfo{
			{Name: Logits, Tensor: "head/logits:0", DataType: tensorflow.Float32, Shape: []int64{-1, k}},
			{Name: Probabilities, Tensor: "head/probabilities:0", DataType: tensorflow.Float32, Shape: []int64{-1, k}},
		},
		Weights: []*network.Weight{biases, weights}, // sorted by name
	}
	if err := n.Validate(); err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	return n, nil
}

// tempered returns the bytes of values divided by the temperature.
func (m *Model) tempered(values []float32) []byte {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(float64(v)/m.Temperature)))
	}
	return b
}
