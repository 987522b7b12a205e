package train

import (
	"encoding/binary"
	"fmt"
	"math"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// calibrate divides a network's logits by a temperature: its outputs become
// "logits", divided, and "probabilities", their softmax.
func calibrate(n *network.Network, temperature float64) (*network.Network, error) {
	logits, err := n.Output("logits")
	if err != nil {
		return nil, err
	}
	if n, err = n.Prune("logits"); err != nil {
		return nil, err
	}
	const factor, divided, softmax = "calibration/inverse_temperature", "calibration/logits", "calibration/probabilities"
	for _, node := range n.Graph.Node {
		if node.Name == factor || node.Name == divided || node.Name == softmax {
			return nil, fmt.Errorf("node %s: the network is already calibrated", node.Name)
		}
	}
	raw := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(1/temperature)))
	float := map[string]*attrpb.AttrValue{"T": {Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_FLOAT}}}
	out := &network.Network{
		Graph: &graphpb.GraphDef{
			Versions: n.Graph.Versions,
			Node: append(append([]*nodepb.NodeDef{}, n.Graph.Node...),
				network.ConstNode(factor, tensorflow.Float32, []int64{}, raw),
				&nodepb.NodeDef{Name: divided, Op: "Mul", Input: []string{logits.Tensor, factor}, Attr: float},
				&nodepb.NodeDef{Name: softmax, Op: "Softmax", Input: []string{divided}, Attr: float}),
		},
		Inputs:  n.Inputs,
		Weights: n.Weights,
		Outputs: []network.TensorInfo{
			{Name: "probabilities", Tensor: softmax + ":0", DataType: tensorflow.Float32, Shape: logits.Shape},
			{Name: "logits", Tensor: divided + ":0", DataType: tensorflow.Float32, Shape: logits.Shape},
		},
	}
	return out, out.Validate()
}
