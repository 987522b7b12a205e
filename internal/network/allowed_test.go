package network

import (
	"maps"
	"slices"
	"strings"
	"testing"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"

	"tkit/internal/tensorflow"
)

// TestAllowed compares the list with TensorFlow's registry. Stateful operations
// are allowed only if a network needs them: weights, checks that pass their
// input on, and the arrays of a loop, which end with the run.
func TestAllowed(t *testing.T) {
	defs, err := tensorflow.Operations()
	if err != nil {
		t.Fatal(err)
	}
	stateful := set("VarHandleOp", "ReadVariableOp", "CheckNumerics", "CheckNumericsV2")
	for _, op := range slices.Sorted(maps.Keys(allowed)) {
		def := defs[op]
		if def == nil {
			t.Errorf("%s: TensorFlow %s has no such operation", op, tensorflow.Version())
			continue
		}
		array := strings.HasPrefix(op, "TensorArray") && strings.HasSuffix(op, "V3")
		if def.GetIsStateful() && !stateful[op] && !array {
			t.Errorf("%s is stateful", op)
		}
		for _, arg := range slices.Concat(def.GetInputArg(), def.GetOutputArg()) {
			resource := arg.GetType() == typespb.DataType_DT_RESOURCE && !stateful[op] && !array
			if resource || arg.GetIsRef() || arg.GetType() == typespb.DataType_DT_STRING {
				t.Errorf("%s takes or gives %v %q", op, arg.GetType(), arg.GetName())
			}
		}
		for _, attr := range def.GetAttr() {
			if strings.Contains(attr.GetType(), "func") {
				t.Errorf("%s calls the function %q", op, attr.GetName())
			}
		}
		if strings.HasPrefix(op, "_") {
			t.Errorf("%s is internal to TensorFlow", op)
		}
	}
}

// TestRefused names operations of every kind that has effects outside a
// network.
func TestRefused(t *testing.T) {
	for _, kind := range []struct {
		ops  string
		says string
	}{
		{"ReadFile WriteFile MatchingFiles SaveV2 RestoreV2 ImmutableConst GenerateVocabRemapping WholeFileReaderV2 TFRecordReaderV2", "files"},
		{"DebugIdentity DebugIdentityV2 DebugIdentityV3 DebugNumericSummaryV2 Print PrintV2 Assert AudioSummaryV2 Copy CopyHost", "prints, records or checks"},
		{"PyFunc PyFuncStateless EagerPyFunc", "runs Python"},
		{"Send Recv _Send _HostRecv CollectiveReduceV2 RpcCall NcclAllReduce RemoteCall", "another machine"},
		{"RandomUniform StatelessRandomUniformV2 Multinomial StatefulStandardNormalV2 TruncatedNormal", "random"},
		{"HashTableV2 LookupTableFindV2 QueueDequeueV2 StackV2 IteratorGetNext", "table or an iterator"},
		{"AssignVariableOp AssignAdd VariableV2 ResourceApplyGradientDescent ScatterUpdate", "state other than the weights"},
		{"If StatelessIf Case", "only at run time"},
		{"While StatelessWhile For", "loops over functions"},
		{"PartitionedCall StatefulPartitionedCall", "calls a function"},
		{"DecodeProtoV2 EncodeProto DecodeJpeg DecodeRaw Substr StringJoin ParseExampleV2", "strings"},
		{"Abort Empty InplaceUpdate ParallelConcat XlaLaunch XlaCustomCallV2 TPUReplicate TfLiteSubgraphExecute _FusedConv2D " +
			"_MklNativeFusedConv2D _VarHandlesOp ExperimentalSleepDataset MapDataset Timestamp MyOwnOp", "node"},
	} {
		for _, op := range strings.Fields(kind.ops) {
			err := CheckOperation(newNode(op, "evil", nil))
			if err == nil || !strings.Contains(err.Error(), kind.says) || !strings.Contains(err.Error(), op) || !strings.Contains(err.Error(), `"evil"`) {
				t.Errorf("%s: %v, want an error that says %q", op, err, kind.says)
			}
		}
	}
}

// TestRefusedAttributes gives allowed operations forbidden attributes.
func TestRefusedAttributes(t *testing.T) {
	function := &attrpb.AttrValue{Value: &attrpb.AttrValue_Func{Func: &attrpb.NameAttrList{Name: "f"}}}
	functions := &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{Func: []*attrpb.NameAttrList{{Name: "f"}}}}}
	for says, change := range map[string]func(n *Network){
		"calls a function":     func(n *Network) { firstOf(n, "Relu").Attr["body"] = function },
		"a function at run":    func(n *Network) { firstOf(n, "Relu").Attr["body"] = functions },
		"device":               func(n *Network) { firstOf(n, "Relu").Device = "/job:worker/task:1" },
		`attribute "_class"`:   func(n *Network) { firstOf(n, "Relu").Attr["_class"] = stringAttr("loc:@x") },
		`attribute "_kernel"`:  func(n *Network) { firstOf(n, "Relu").Attr["_kernel"] = stringAttr("x") },
		"is in the container":  func(n *Network) { firstOf(n, "VarHandleOp").Attr["container"] = stringAttr("shared") },
		"a name of 4097 bytes": func(n *Network) { firstOf(n, "Relu").Name = strings.Repeat("n", MaxName+1) },
	} {
		n := residual()
		change(n)
		if err := n.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want an error that says %q", err, says)
		}
	}
}

func firstOf(n *Network, op string) *nodepb.NodeDef {
	i := slices.IndexFunc(n.Graph.GetNode(), func(node *nodepb.NodeDef) bool { return node.GetOp() == op })
	return n.Graph.GetNode()[i]
}

// TestConstants gives constants invalid values.
func TestConstants(t *testing.T) {
	constant := func(dt tensorflow.DataType, raw int, dims ...int64) *nodepb.NodeDef {
		return ConstNode("c", dt, dims, make([]byte, raw))
	}
	for _, c := range []struct {
		node *nodepb.NodeDef
		says string
	}{
		{constant(tensorflow.Float32, 12, 3), ""},
		{constant(tensorflow.Float32, 0, 1<<20), ""},
		{constant(tensorflow.Float32, 0, 1<<20, 0, 1<<60), ""},
		{constant(tensorflow.String, 0), "a network has only numbers"},
		{constant(tensorflow.Resource, 0), "a network has only numbers"},
		{constant(tensorflow.Float32, 12, 4), "12 bytes, its shape needs 16"},
		{constant(tensorflow.Float32, 4, -1), "unknown dimension"},
		{constant(tensorflow.Float32, 4, 1<<40, 1<<40), "overflows"},
		{constant(tensorflow.Float32, 4, make([]int64, maxRank+1)...), "rank"},
		{constant(tensorflow.Float32, 0, 1<<30, 10), "repeat a value"},
		{constant(tensorflow.Float64, 0, 1<<59), "repeat a value"},
	} {
		n := residual()
		n.Graph.Node = append(n.Graph.Node, c.node)
		err := n.Validate()
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%v: %v, want an error that says %q", c.node, err, c.says)
		}
	}
	many := residual()
	for i := range 3 {
		node := constant(tensorflow.Float32, 0, 100<<20)
		node.Name = strings.Repeat("c", i+1)
		many.Graph.Node = append(many.Graph.Node, node)
	}
	if err := many.Validate(); err == nil || !strings.Contains(err.Error(), "repeat a value") {
		t.Errorf("constants that repeat values of 1.2 GB together: %v", err)
	}
}
