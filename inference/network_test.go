package inference_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	versionspb "github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"

	"tkit/inference"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

const side = 8 // of the tiny networks' images

// weight is a float32 weight.
func weight(name string, shape []int64, v ...float32) *network.Weight {
	w := &network.Weight{Name: name, DataType: tensorflow.Float32, Shape: shape}
	for _, f := range v {
		w.Data = binary.LittleEndian.AppendUint32(w.Data, math.Float32bits(f))
	}
	return w
}

// node is a node of one operation on float32.
func node(op, name string, inputs ...string) *nodepb.NodeDef {
	float := &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_FLOAT}}
	return &nodepb.NodeDef{Op: op, Name: name, Input: inputs, Attr: map[string]*attrpb.AttrValue{"T": float}}
}

// write writes a network of nodes and weights to a file.
func write(t testing.TB, name string, in network.TensorInfo, out []network.TensorInfo, weights []*network.Weight, nodes ...*nodepb.NodeDef) string {
	t.Helper()
	n := &network.Network{
		Graph:  &graphpb.GraphDef{Versions: &versionspb.VersionDef{Producer: 1882}},
		Inputs: []network.TensorInfo{in}, Outputs: out, Weights: weights,
	}
	n.Graph.Node = append(n.Graph.Node, network.PlaceholderNode(in.Name, in.DataType, in.Shape))
	for _, w := range weights {
		handle, read := network.WeightNodes(w)
		n.Graph.Node = append(n.Graph.Node, handle, read)
	}
	n.Graph.Node = append(n.Graph.Node, nodes...)
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := n.Encode(f); err != nil {
		t.Fatal(err)
	}
	return path
}

func tensorInfo(name, tensor string, shape ...int64) network.TensorInfo {
	return network.TensorInfo{Name: name, Tensor: tensor, DataType: tensorflow.Float32, Shape: shape}
}

// trunkFile is the network of the mean colour: [N, side, side, 3] → [N, 3].
func trunkFile(t testing.TB) string {
	t.Helper()
	axes := network.ConstNode("axes", tensorflow.Int32, []int64{2}, []byte{1, 0, 0, 0, 2, 0, 0, 0})
	mean := node("Mean", "mean", "images", "axes")
	mean.Attr["Tidx"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_INT32}}
	return write(t, "trunk", tensorInfo("images", "images:0", -1, side, side, 3),
		[]network.TensorInfo{tensorInfo("bottleneck", "scaled:0", -1, 3)},
		[]*network.Weight{weight("gain", []int64{3}, 1, 1, 1)},
		axes, mean, node("Mul", "scaled", "mean", "gain/read"))
}

// headFile is a head of three classes that selects the strongest colour.
func headFile(t testing.TB) string {
	t.Helper()
	return write(t, "head", tensorInfo("bottleneck", "bottleneck:0", -1, 3),
		[]network.TensorInfo{tensorInfo("logits", "logits:0", -1, 3), tensorInfo("probabilities", "probabilities:0", -1, 3)},
		[]*network.Weight{weight("dense", []int64{3, 3}, 1, 0, 0, 0, 1, 0, 0, 0, 1)},
		node("MatMul", "logits", "bottleneck", "dense/read"),
		node("Softmax", "probabilities", "logits"))
}

func openTrunk(t testing.TB) *inference.Trunk {
	t.Helper()
	trunk, err := inference.OpenTrunk(trunkFile(t), inference.TrunkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := trunk.Close(); err != nil {
			t.Error(err)
		}
	})
	return trunk
}

func openHead(t testing.TB) *inference.Head {
	t.Helper()
	head, err := inference.OpenHead(headFile(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := head.Close(); err != nil {
			t.Error(err)
		}
	})
	return head
}
