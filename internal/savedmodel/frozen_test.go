package savedmodel_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"

	"tkit/internal/savedmodel"
	"tkit/internal/tensorflow"
)

// frozen is a graph whose result can be computed by hand: relu(mean(x) + bias), and
// a node beside it.
const frozen = `
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
       attr { key: "shape" value { shape { dim { size: -1 } dim { size: 2 } dim { size: 2 } dim { size: 1 } } } } }
node { name: "axes" op: "Const" attr { key: "dtype" value { type: DT_INT32 } }
       attr { key: "value" value { tensor { dtype: DT_INT32 tensor_shape { dim { size: 2 } } int_val: 1 int_val: 2 } } } }
node { name: "mean" op: "Mean" input: "x" input: "axes" attr { key: "T" value { type: DT_FLOAT } } attr { key: "Tidx" value { type: DT_INT32 } }
       attr { key: "keep_dims" value { b: false } } }
node { name: "bias" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } }
       attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: -1 } } } }
node { name: "sum" op: "AddV2" input: "mean" input: "bias" attr { key: "T" value { type: DT_FLOAT } } }
node { name: "relu" op: "Relu" input: "sum" attr { key: "T" value { type: DT_FLOAT } } }
node { name: "class" op: "Cast" input: "sum" attr { key: "SrcT" value { type: DT_FLOAT } } attr { key: "DstT" value { type: DT_INT32 } }
       attr { key: "Truncate" value { b: false } } }
versions { producer: 1882 }`

func writeGraph(t *testing.T, change func(*graphpb.GraphDef)) string {
	t.Helper()
	g := &graphpb.GraphDef{}
	if err := prototext.Unmarshal([]byte(frozen), g); err != nil {
		t.Fatal(err)
	}
	change(g)
	raw, err := proto.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "graph.pb")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFrozen(t *testing.T) {
	path := writeGraph(t, func(*graphpb.GraphDef) {})
	for output, want := range map[string]float32{"": 1.5, "relu": 1.5, "mean": 2.5} {
		n, err := savedmodel.ReadFrozen(t.Context(), path, savedmodel.FrozenOptions{Output: output})
		if err != nil {
			t.Fatal(err)
		}
		if len(n.Inputs) != 1 || n.Inputs[0].Name != "x" || len(n.Outputs) != 1 {
			t.Fatalf("inputs %v, outputs %v", n.Inputs, n.Outputs)
		}
		l, err := n.Load(tensorflow.Config{})
		if err != nil {
			t.Fatal(err)
		}
		x, err := tensorflow.FromFloat32([]int64{1, 2, 2, 1}, []float32{1, 2, 3, 4})
		if err != nil {
			t.Fatal(err)
		}
		out, err := l.Run(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if got := out[0].Float32()[0]; math.Abs(float64(got-want)) > 1e-6 {
			t.Errorf("%q: %g, want %g", output, got, want)
		}
		out[0].Close()
		x.Close()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestReadFrozenRefuses(t *testing.T) {
	remove := func(name string) func(*graphpb.GraphDef) {
		return func(g *graphpb.GraphDef) {
			var kept []*nodepb.NodeDef
			for _, n := range g.GetNode() {
				if n.GetName() != name {
					kept = append(kept, n)
				}
			}
			g.Node = kept
		}
	}
	set := func(name, op string) func(*graphpb.GraphDef) {
		return func(g *graphpb.GraphDef) {
			for _, n := range g.GetNode() {
				if n.GetName() == name {
					n.Op = op
				}
			}
		}
	}
	for name, c := range map[string]struct {
		path, output, says string
	}{
		"no placeholder":    {writeGraph(t, set("x", "Const")), "", "no placeholder"},
		"a missing node":    {writeGraph(t, remove("bias")), "", "bias"},
		"no such output":    {writeGraph(t, func(*graphpb.GraphDef) {}), "logits", `no node "logits"`},
		"no real output":    {writeGraph(t, remove("relu")), "", "no output of real numbers"},
		"a forbidden one":   {writeGraph(t, set("relu", "WriteFile")), "relu", "WriteFile"},
		"variables":         {writeGraph(t, set("bias", "VariableV2")), "", "bias"},
		"a SavedModel":      {"testdata", "", ""},
		"not a graph":       {"frozen_test.go", "", "not a frozen graph"},
		"a file of nothing": {os.DevNull, "", ""},
	} {
		_, err := savedmodel.ReadFrozen(t.Context(), c.path, savedmodel.FrozenOptions{Output: c.output})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	if _, err := savedmodel.ReadFrozen(t.Context(), "none.pb", savedmodel.FrozenOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}
