package signatures

import (
	"strings"
	"testing"

	functionpb "github.com/wamuir/graft/tensorflow/core/framework/function_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	opdefpb "github.com/wamuir/graft/tensorflow/core/framework/op_def_go_proto"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

func node(name, op string, inputs ...string) *nodepb.NodeDef {
	return &nodepb.NodeDef{Name: name, Op: op, Input: inputs}
}

func input(name string, shape []int64) *nodepb.NodeDef {
	return network.PlaceholderNode(name, tensorflow.Int32, shape)
}

// Operands that kernels do not check are refused only where clients choose them.
func TestOperands(t *testing.T) {
	constant, unknown, known := node("c", "Const"), input("x", nil), input("x", []int64{-1, 4})
	for _, test := range []struct {
		name     string
		nodes    []*nodepb.NodeDef
		function []*nodepb.NodeDef
		refused  bool
	}{
		{name: "a constant", nodes: []*nodepb.NodeDef{unknown, constant, node("y", "ScatterNd", "c", "x", "c")}},
		{name: "of a known rank", nodes: []*nodepb.NodeDef{known, constant, node("y", "ScatterNd", "x", "x", "c")}},
		{name: "of an unknown rank", nodes: []*nodepb.NodeDef{unknown, constant, node("i", "Identity", "x:0"), node("y", "ScatterNd", "i", "x", "c")}, refused: true},
		{name: "a shape", nodes: []*nodepb.NodeDef{unknown, constant, node("s", "Shape", "x"), node("y", "Conv2DBackpropInput", "s", "c", "x")}},
		{name: "sizes", nodes: []*nodepb.NodeDef{unknown, constant, node("y", "Conv2DBackpropInput", "x", "c", "c")}, refused: true},
		{name: "a value", nodes: []*nodepb.NodeDef{known, constant, node("y", "RFFT", "c", "x")}, refused: true},
		{name: "no value", nodes: []*nodepb.NodeDef{known, constant, node("y", "RFFT", "x", "c")}},
		{name: "a loop", nodes: []*nodepb.NodeDef{known, node("a", "Merge", "b", "x"), node("b", "NextIteration", "a"), node("y", "RFFT", "c", "a")}, refused: true},
		{name: "a loop, met elsewhere first", nodes: []*nodepb.NodeDef{known, constant, node("a", "Merge", "b", "x"), node("b", "NextIteration", "a"), node("z", "RFFT", "c", "c"), node("w", "IRFFT", "a", "c"), node("y", "RFFT", "c", "b")}, refused: true},
		{name: "in a function", nodes: []*nodepb.NodeDef{unknown}, function: []*nodepb.NodeDef{node("y", "ScatterNd", "argument", "argument", "argument")}, refused: true},
		{name: "in a function, of a known rank", nodes: []*nodepb.NodeDef{known}, function: []*nodepb.NodeDef{node("y", "ScatterNd", "argument", "argument", "argument")}},
	} {
		graph := &graphpb.GraphDef{Node: test.nodes, Library: &functionpb.FunctionDefLibrary{}}
		if test.function != nil {
			graph.Library.Function = []*functionpb.FunctionDef{{
				Signature: &opdefpb.OpDef{Name: "f", InputArg: []*opdefpb.OpDef_ArgDef{{Name: "argument"}}},
				NodeDef:   test.function,
			}}
		}
		err := checkOperands(graph)
		if refused := err != nil && strings.Contains(err.Error(), "abort"); refused != test.refused {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
