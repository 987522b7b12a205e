package savedmodel_test

import (
	"encoding/binary"
	"math"
	"path/filepath"
	"strings"
	"testing"

	tf "github.com/wamuir/graft/tensorflow"
	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	versionspb "github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"

	"tkit/internal/network"
	"tkit/internal/savedmodel"
	"tkit/internal/tensorflow"
)

// TensorFlow's C++ loader, used by TensorFlow Serving and Triton, loads Write's
// output: weights, a front, a ClipByValue, which is replaced, and a constant of
// unknown rank, as in heads of older versions.
func TestCLoader(t *testing.T) {
	float := map[string]*attrpb.AttrValue{"T": {Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_FLOAT}}}
	number := func(v float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)) }
	w := &network.Weight{Name: "w", DataType: tensorflow.Float32, Shape: []int64{}, Data: number(10)}
	handle, read := network.WeightNodes(w)
	port := func(name string) network.TensorInfo {
		return network.TensorInfo{Name: name, Tensor: name + ":0", DataType: tensorflow.Float32, Shape: []int64{-1}}
	}
	n := &network.Network{
		Graph: &graphpb.GraphDef{Versions: &versionspb.VersionDef{Producer: 1882}, Node: []*nodepb.NodeDef{
			network.PlaceholderNode("x", tensorflow.Float32, []int64{-1}), handle, read,
			network.ConstNode("half", tensorflow.Float32, nil, number(0.5)),
			{Name: "scaled", Op: "Mul", Input: []string{"x", "w/read"}, Attr: float},
			network.ConstNode("low", tensorflow.Float32, []int64{}, number(-24)),
			network.ConstNode("high", tensorflow.Float32, []int64{}, number(20)),
			{Name: "clipped", Op: "ClipByValue", Input: []string{"scaled", "low", "high", "^half"}, Attr: float},
			{Name: "y", Op: "Mul", Input: []string{"clipped", "half"}, Attr: float},
		}},
		Inputs: []network.TensorInfo{port("x")}, Outputs: []network.TensorInfo{port("y")}, Weights: []*network.Weight{w},
	}
	front := &savedmodel.Front{Signature: "negated", Input: port("given"), Output: port("negative"), Nodes: []*nodepb.NodeDef{
		network.PlaceholderNode("given", tensorflow.Float32, []int64{-1}),
		{Name: "negative", Op: "Neg", Input: []string{"given"}, Attr: float},
	}}
	dir := filepath.Join(t.TempDir(), "model")
	if err := savedmodel.Write(t.Context(), dir, savedmodel.Export{Network: n, Front: front}); err != nil {
		t.Fatal(err)
	}
	loaded, err := tf.LoadSavedModel(dir, []string{"serve"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Session.Close()
	for signature, want := range map[string]float32{"serving_default": 10, "negated": -12} {
		s := loaded.Signatures[signature]
		output := func(info tf.TensorInfo) tf.Output {
			name, _, _ := strings.Cut(info.Name, ":")
			return loaded.Graph.Operation(name).Output(0)
		}
		in, err := tf.NewTensor([]float32{3})
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range s.Inputs {
			got, err := loaded.Session.Run(map[tf.Output]*tf.Tensor{output(from): in}, []tf.Output{output(s.Outputs["y"])}, nil)
			if err != nil {
				t.Fatalf("%s: %v", signature, err)
			}
			if v := got[0].Value().([]float32); len(v) != 1 || v[0] != want {
				t.Errorf("%s: %v, want %v", signature, v, want)
			}
		}
	}
}
