package network

import (
	"bytes"
	"testing"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// tiny is relu(x·w + b) with x of 2 and the result of 3 values.
func tiny() *Network {
	w := floats("dense/kernel", []int64{2, 3}, 1, 2, 3, 4, 5, 6)
	b := floats("dense/bias", []int64{3}, -1, 0, 1)
	f := typeAttr(tensorflow.Float32)
	nodes := []*nodepb.NodeDef{
		PlaceholderNode("x", tensorflow.Float32, []int64{-1, 2}),
		newNode("MatMul", "dense/MatMul", attrs{"T": f}, "x", "dense/kernel/read"),
		newNode("BiasAdd", "dense/BiasAdd", attrs{"T": f}, "dense/MatMul", "dense/bias/read"),
		newNode("Relu", "dense/Relu", attrs{"T": f}, "dense/BiasAdd"),
	}
	return assemble(nodes, []*Weight{b, w}, "x", "dense/Relu")
}

func TestSmoke(t *testing.T) {
	n := tiny()
	var buf bytes.Buffer
	if err := n.Encode(&buf); err != nil {
		t.Fatal(err)
	}
	m, err := Decode(buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	l, err := m.Load(tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	x, _ := tensorflow.FromFloat32([]int64{1, 2}, []float32{1, -1})
	out, err := l.Run(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(out[0].Float32())
	t.Log(n.Endpoints())
	trunk, rest, err := n.Cut("dense/MatMul", "")
	if err != nil {
		t.Fatal(err)
	}
	j, err := Join(trunk, rest)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(trunk.Outputs, rest.Inputs, len(j.Graph.Node), len(n.Graph.Node))
}

var _ = graphpb.GraphDef{}
