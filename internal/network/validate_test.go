package network

import (
	"strings"
	"testing"

	functionpb "github.com/wamuir/graft/tensorflow/core/framework/function_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	opdefpb "github.com/wamuir/graft/tensorflow/core/framework/op_def_go_proto"

	"tkit/internal/tensorflow"
)

func TestValidate(t *testing.T) {
	if err := residual().Validate(); err != nil {
		t.Fatal(err)
	}
	node := func(n *Network, name string) *nodepb.NodeDef {
		for _, node := range n.Graph.GetNode() {
			if node.GetName() == name {
				return node
			}
		}
		t.Fatalf("no node %q", name)
		return nil
	}
	drop := func(n *Network, name string) {
		var kept []*nodepb.NodeDef
		for _, node := range n.Graph.GetNode() {
			if node.GetName() != name {
				kept = append(kept, node)
			}
		}
		n.Graph.Node = kept
	}
	for _, tt := range []struct {
		name   string
		break_ func(n *Network)
		want   string
	}{
		{"no graph", func(n *Network) { n.Graph = nil }, "no graph"},
		{"functions", func(n *Network) {
			n.Graph.Library = &functionpb.FunctionDefLibrary{Function: []*functionpb.FunctionDef{{Signature: &opdefpb.OpDef{Name: "f"}}}}
		}, "inline"},
		{"two nodes of a name", func(n *Network) { node(n, "stem/relu").Name = "stem/norm" }, `two nodes are named "stem/norm"`},
		{"a malformed name", func(n *Network) { node(n, "stem/relu").Name = "a b" }, "malformed name"},
		{"no operation", func(n *Network) { node(n, "stem/relu").Op = "" }, "no operation"},
		{"an unknown input", func(n *Network) { node(n, "stem/relu").Input[0] = "nowhere" }, "not in the graph"},
		{"a malformed input", func(n *Network) { node(n, "stem/relu").Input[0] = "stem/norm:x" }, "malformed tensor"},
		{"data after control", func(n *Network) { node(n, "logits/MatMul").Input[0] = "^stem/norm" }, "after a control input"},
		{"a cycle", func(n *Network) { node(n, "stem/conv").Input[0] = "stem/relu" }, "cycle"},
		{"a function call", func(n *Network) { node(n, "stem/relu").Op = "StatefulPartitionedCall" }, "is not allowed"},
		{"an assignment", func(n *Network) { node(n, "stem/relu").Op = "AssignVariableOp" }, "is not allowed"},

		{"a weight missing", func(n *Network) { n.Weights = n.Weights[1:] }, "has no weight"},
		{"a weight too many", func(n *Network) { n.Weights = append(n.Weights, floats("z", []int64{1}, 1)) }, "no VarHandleOp"},
		{"weights out of order", func(n *Network) { n.Weights[0], n.Weights[1] = n.Weights[1], n.Weights[0] }, "out of order"},
		{"a nil weight", func(n *Network) { n.Weights[0] = nil }, "nil"},
		{"bytes too few", func(n *Network) { n.Weights[0].Data = n.Weights[0].Data[4:] }, "bytes"},
		{"another shape", func(n *Network) { n.Weights[0].Shape = []int64{1, 2, 3} }, "bytes"},
		{"a shape of as many bytes", func(n *Network) { n.Weight("logits/kernel").Shape = []int64{5, 8} }, "says"},
		{"a shape that overflows", func(n *Network) { n.Weights[0].Shape = []int64{1 << 40, 1 << 40} }, "overflows"},
		{"an unknown dimension", func(n *Network) { n.Weights[0].Shape = []int64{-1} }, "unknown dimension"},
		{"an unknown rank", func(n *Network) { n.Weights[0].Shape = nil }, "unknown"},
		{"strings as weights", func(n *Network) { n.Weights[0].DataType = tensorflow.String }, "no fixed size"},
		{"another type", func(n *Network) { n.Weights[0].DataType = tensorflow.Int32 }, "says"},
		{"another shared name", func(n *Network) { node(n, "logits/bias").Attr["shared_name"] = stringAttr("other") }, "shared_name"},
		{"no read", func(n *Network) { drop(n, "probabilities"); node(n, "logits/bias/read").Op = "Identity" }, "no ReadVariableOp"},

		{"no output", func(n *Network) { n.Outputs = nil }, "no outputs"},
		{"an output of no node", func(n *Network) { n.Outputs[0].Tensor = "nowhere:0" }, "not in the graph"},
		{"an output that is an input", func(n *Network) { n.Outputs[0].Tensor = "images:0" }, "put an Identity between"},
		{"an output in the short form", func(n *Network) { n.Outputs[0].Tensor = "probabilities" }, "not of the form"},
		{"a control edge for an output", func(n *Network) { n.Outputs[0].Tensor = "^probabilities" }, "not of the form"},
		{"an input of too many dimensions", func(n *Network) { n.Inputs[0].Shape = make([]int64, maxRank+1) }, "has 255 dimensions"},
		{"an output without a type", func(n *Network) { n.Outputs[0].DataType = 0 }, "no data type"},
		{"outputs of one name", func(n *Network) { n.Outputs[1].Name = n.Outputs[0].Name }, "used twice"},
		{"a port without a name", func(n *Network) { n.Inputs[0].Name = "" }, "empty"},
		{"an input of another type", func(n *Network) { n.Inputs[0].DataType = tensorflow.Uint8 }, "says"},
		{"an input that is no placeholder", func(n *Network) { n.Inputs[0].Tensor = "stem/relu:0" }, "want a Placeholder"},
		{"a negative dimension", func(n *Network) { n.Inputs[0].Shape = []int64{-2} }, "shape"},
		{"a placeholder that is no input", func(n *Network) { n.Inputs = nil }, "is not an input"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := residual()
			tt.break_(n)
			err := n.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error with %q", err, tt.want)
			}
			if _, err := n.Load(tensorflow.Config{}); err == nil {
				t.Error("it loads nevertheless")
			}
		})
	}
}

// A loop closed by a NextIteration is valid.
func TestValidateLoop(t *testing.T) {
	if err := counting().Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestParseRef(t *testing.T) {
	for in, want := range map[string]TensorID{
		"a": {"a", 0}, "a:0": {"a", 0}, "a/b:12": {"a/b", 12}, "^a": {"a", Control},
	} {
		if got, err := ParseTensorID(in); err != nil || got != want {
			t.Errorf("parseRef(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", ":0", "^", "a:", "a:-1", "a:01", "a:99999", "^a:0", "a:b"} {
		if got, err := ParseTensorID(in); err == nil {
			t.Errorf("parseRef(%q) = %v, want an error", in, got)
		}
	}
}
