package tensorflow_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	"google.golang.org/protobuf/encoding/prototext"

	"tkit/internal/tensorflow"
)

// affine is y = 2 x + 1 for x of shape [-1, 3], with a sum over all of y and an
// unrelated node.
const affine = `
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "shape" value { shape { dim { size: -1 } dim { size: 3 } } } } }
node { name: "two" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape {} float_val: 2 } } } }
node { name: "one" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape {} float_val: 1 } } } }
node { name: "mul" op: "Mul" input: "x" input: "two" attr { key: "T" value { type: DT_FLOAT } } }
node { name: "y" op: "AddV2" input: "mul" input: "one" attr { key: "T" value { type: DT_FLOAT } } }
node { name: "shape" op: "Shape" input: "y" attr { key: "T" value { type: DT_FLOAT } } }
node { name: "anything" op: "Placeholder" attr { key: "dtype" value { type: DT_STRING } }
  attr { key: "shape" value { shape { unknown_rank: true } } } }
node { name: "through" op: "Identity" input: "anything" attr { key: "T" value { type: DT_STRING } } }
node { name: "same" op: "Identity" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
versions { producer: 1882 }`

// counting counts up to "limit" in a loop, so that a test can choose how long a
// run takes. It uses TensorFlow's dataflow control nodes.
const counting = `
node { name: "limit" op: "Placeholder" attr { key: "dtype" value { type: DT_INT64 } }
  attr { key: "shape" value { shape {} } } }
node { name: "zero" op: "Const" attr { key: "dtype" value { type: DT_INT64 } }
  attr { key: "value" value { tensor { dtype: DT_INT64 tensor_shape {} int64_val: 0 } } } }
node { name: "enter" op: "Enter" input: "zero" attr { key: "T" value { type: DT_INT64 } }
  attr { key: "frame_name" value { s: "f" } } }
node { name: "enter_limit" op: "Enter" input: "limit" attr { key: "T" value { type: DT_INT64 } }
  attr { key: "frame_name" value { s: "f" } } attr { key: "is_constant" value { b: true } } }
node { name: "merge" op: "Merge" input: "enter" input: "next" attr { key: "T" value { type: DT_INT64 } }
  attr { key: "N" value { i: 2 } } }
node { name: "less" op: "Less" input: "merge" input: "enter_limit" attr { key: "T" value { type: DT_INT64 } } }
node { name: "cond" op: "LoopCond" input: "less" }
node { name: "switch" op: "Switch" input: "merge" input: "cond" attr { key: "T" value { type: DT_INT64 } } }
node { name: "inside" op: "Identity" input: "switch:1" attr { key: "T" value { type: DT_INT64 } } }
node { name: "one" op: "Const" input: "^inside" attr { key: "dtype" value { type: DT_INT64 } }
  attr { key: "value" value { tensor { dtype: DT_INT64 tensor_shape {} int64_val: 1 } } } }
node { name: "add" op: "AddV2" input: "inside" input: "one" attr { key: "T" value { type: DT_INT64 } } }
node { name: "next" op: "NextIteration" input: "add" attr { key: "T" value { type: DT_INT64 } } }
node { name: "count" op: "Exit" input: "switch" attr { key: "T" value { type: DT_INT64 } } }
versions { producer: 1882 }`

func parse(t testing.TB, text string) *graph_go_proto.GraphDef {
	t.Helper()
	def := &graph_go_proto.GraphDef{}
	if err := prototext.Unmarshal([]byte(text), def); err != nil {
		t.Fatal(err)
	}
	return def
}

func open(t testing.TB, text string, c tensorflow.Config) *tensorflow.Session {
	t.Helper()
	g, err := tensorflow.ImportGraph(parse(t, text))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	s, err := tensorflow.NewSession(g, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestGraphDescribesOutputs(t *testing.T) {
	g, err := tensorflow.ImportGraph(parse(t, affine))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for _, c := range []struct {
		output string
		dt     tensorflow.DataType
		shape  []int64
	}{
		{"x", tensorflow.Float32, []int64{-1, 3}},
		{"y:0", tensorflow.Float32, []int64{-1, 3}},
		{"two:0", tensorflow.Float32, []int64{}},
		{"shape:0", tensorflow.Int32, []int64{2}},
		{"through:0", tensorflow.String, nil},
	} {
		dt, err := g.DataType(c.output)
		if err != nil || dt != c.dt {
			t.Errorf("DataType(%q) = %v, %v, want %v", c.output, dt, err, c.dt)
		}
		shape, err := g.Shape(c.output)
		if err != nil || !slices.Equal(shape, c.shape) || (shape == nil) != (c.shape == nil) {
			t.Errorf("Shape(%q) = %#v, %v, want %#v", c.output, shape, err, c.shape)
		}
	}
}

func TestGraphRefusesUnknownOutputs(t *testing.T) {
	g, err := tensorflow.ImportGraph(parse(t, affine))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for _, c := range []struct {
		output string
		code   tensorflow.Code
	}{
		{"absent:0", tensorflow.NotFound},
		{"", tensorflow.NotFound},
		{"y:1", tensorflow.OutOfRange},
		{"y:99999999999", tensorflow.OutOfRange},
		{"y:-1", tensorflow.InvalidArgument},
		{"y:first", tensorflow.InvalidArgument},
		{"y:", tensorflow.InvalidArgument},
	} {
		_, err := g.Shape(c.output)
		if code(err) != c.code {
			t.Errorf("Shape(%q): %v, want %v", c.output, err, c.code)
		}
	}
	g.Close()
	if _, err := g.Shape("y"); !errors.Is(err, tensorflow.ErrClosed) {
		t.Errorf("Shape of a closed graph: %v", err)
	}
	if _, err := tensorflow.NewSession(g, tensorflow.Config{}); !errors.Is(err, tensorflow.ErrClosed) {
		t.Errorf("session on a closed graph: %v", err)
	}
}

func TestImportRefusesBadGraphs(t *testing.T) {
	if _, err := tensorflow.ImportGraphBytes([]byte("no graph")); code(err) != tensorflow.InvalidArgument {
		t.Errorf("garbage: %v", err)
	}
	_, err := tensorflow.ImportGraph(parse(t, `node { name: "a" op: "NoSuchOp" }`))
	if code(err) == tensorflow.OK {
		t.Errorf("unknown op: %v", err)
	}
	_, err = tensorflow.ImportGraph(parse(t, `node { name: "a" op: "Identity" input: "gone"
		attr { key: "T" value { type: DT_FLOAT } } }`))
	if code(err) != tensorflow.InvalidArgument {
		t.Errorf("missing input: %v", err)
	}
}

// code returns the TensorFlow code of err, OK if it has none.
func code(err error) tensorflow.Code {
	var e *tensorflow.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return tensorflow.OK
}
