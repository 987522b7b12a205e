package inference_test

import (
	"errors"
	"strings"
	"testing"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/inference"
	"tkit/internal/independence"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// A trunk that was stored before bases were checked is not loaded if its
// outputs are not independent, whether its graph shows that or not.
func TestOpenTrunkRefusesMixing(t *testing.T) {
	integers := func(n *nodepb.NodeDef, attr string) *nodepb.NodeDef {
		n.Attr[attr] = network.ConstNode("", tensorflow.Int32, nil, nil).GetAttr()["dtype"]
		return n
	}
	number := func(name string, shape []int64, value byte) *nodepb.NodeDef {
		return network.ConstNode(name, tensorflow.Int32, shape, []byte{value, 0, 0, 0})
	}
	rows := []*nodepb.NodeDef{number("one", []int64{1}, 1), integers(node("Mean", "rows", "images", "one"), "Tidx")}
	for _, tt := range []struct {
		name  string
		nodes []*nodepb.NodeDef
		says  string
	}{
		{"its own", []*nodepb.NodeDef{node("Neg", "features", "rows")}, ""},
		{"less the sum", []*nodepb.NodeDef{
			number("zero", []int64{1}, 0), integers(node("Sum", "sum", "rows", "zero"), "Tidx"), node("Sub", "features", "rows", "sum"),
		}, "takes the sum over the whole batch"},
		{"sums on the way", []*nodepb.NodeDef{
			number("zero", []int64{}, 0), integers(node("Cumsum", "features", "rows", "zero"), "Tidx"),
		}, "goes along the batch"},
		{"compared with each other", []*nodepb.NodeDef{
			integers(node("Transpose", "turned", "rows", "order"), "Tperm"), node("MatMul", "features", "rows", "turned"),
			network.ConstNode("order", tensorflow.Int32, []int64{2}, []byte{1, 0, 0, 0, 0, 0, 0, 0}),
		}, "an image has 1 values alone and 4 in a batch of 4"},
		{"sums along a computed axis", []*nodepb.NodeDef{
			number("zero", []int64{}, 0), integers(node("Neg", "axis", "zero"), "T"), integers(node("Cumsum", "features", "rows", "axis"), "Tidx"),
		}, "the same image gives"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := network.TensorInfo{Name: "images", Tensor: "images:0", DataType: tensorflow.Float32, Shape: []int64{-1, 4, 3}}
			out := network.TensorInfo{Name: "features", Tensor: "features:0", DataType: tensorflow.Float32, Shape: []int64{-1, 3}}
			path := write(t, "trunk", in, []network.TensorInfo{out}, nil, append(rows[:2:2], tt.nodes...)...)
			trunk, err := inference.OpenTrunk(path, inference.TrunkOptions{})
			if err == nil {
				trunk.Close()
			}
			if !says(err, tt.says) {
				t.Errorf("%v, want %q", err, tt.says)
			}
			n, err := network.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			err = independence.Retrain(independence.Check(t.Context(), n))
			if !says(err, tt.says) || err != nil && !says(err, "train it again from its base") {
				t.Errorf("the network alone: %v, want %q and what to do", err, tt.says)
			}
		})
	}
}

// says reports whether an error is nil, for "", or describes the mixing of
// images with these words.
func says(err error, words string) bool {
	if words == "" {
		return err == nil
	}
	return errors.Is(err, independence.ErrMixes) && strings.Contains(err.Error(), words)
}
