package savedmodel_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"

	"tkit/internal/network"
	"tkit/internal/savedmodel"
)

// copyOf returns a modifiable copy of a model in the zoo.
func copyOf(t testing.TB, model string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), model)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(zoo(t), model))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// change rewrites a file.
func change(t testing.TB, path string, f func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(b), 0o644); err != nil {
		t.Fatal(err)
	}
}

// changeModel rewrites saved_model.pb.
func changeModel(t testing.TB, dir string, f func(*metapb.MetaGraphDef)) {
	t.Helper()
	change(t, filepath.Join(dir, "saved_model.pb"), func(b []byte) []byte {
		model := &metapb.SavedModel{}
		if err := proto.Unmarshal(b, model); err != nil {
			t.Fatal(err)
		}
		f(model.MetaGraphs[0])
		b, err := proto.Marshal(model)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}

// TestReadDamaged reads damaged SavedModels. Each error names the file and the
// problem or the remedy.
func TestReadDamaged(t *testing.T) {
	const (
		pb    = "saved_model.pb"
		index = "variables/variables.index"
		data  = "variables/variables.data-00000-of-00001"
	)
	half := func(b []byte) []byte { return b[:len(b)/2] }
	flip := func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b }
	flipFirst := func(b []byte) []byte { b[0] ^= 0x10; return b }
	for name, c := range map[string]struct {
		file   string
		change func([]byte) []byte // nil removes the file
		not    bool                // not a SavedModel
		says   []string
	}{
		"no graph":           {pb, nil, true, []string{"it has no saved_model.pb"}},
		"half a graph":       {pb, half, true, []string{pb, "damaged or cut short"}},
		"an empty graph":     {pb, func([]byte) []byte { return nil }, true, []string{pb, "holds no graph"}},
		"no index":           {index, nil, false, []string{index, "no such file"}},
		"half an index":      {index, half, false, []string{index, "cut short"}},
		"a damaged index":    {index, flip, false, []string{index, "checksum"}},
		"no data":            {data, nil, false, []string{data, "no such file"}},
		"half the data":      {data, half, false, []string{data, "cut short"}},
		"damaged data":       {data, flipFirst, false, []string{data, "wrong checksum", "module/b"}},
		"another model":      {data, func(b []byte) []byte { return make([]byte, len(b)) }, false, []string{data, "wrong checksum"}},
		"trailing kilobytes": {pb, func(b []byte) []byte { return append(b, make([]byte, 4096)...) }, true, []string{pb, "damaged"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, "tf1_hub")
			if _, err := os.Stat(filepath.Join(dir, data)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, c.file)
			if c.change == nil {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else {
				change(t, path, c.change)
			}
			_, err := savedmodel.Read(t.Context(), dir, savedmodel.Options{})
			if err == nil {
				t.Fatal("read")
			}
			if errors.Is(err, savedmodel.ErrNotSavedModel) != c.not {
				t.Errorf("%v: ErrNotSavedModel %v", err, !c.not)
			}
			for _, s := range append(c.says, dir) {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}

// TestReadAdvises reads folders and files that may be mistaken for a
// SavedModel.
func TestReadAdvises(t *testing.T) {
	for path, says := range map[string]string{
		"model.keras":               "model.export",
		"weights.h5":                "model.export",
		"model.tar.gz":              "unpack it",
		"m/saved_model.pb":          "give the folder",
		"text/saved_model.pbtxt":    "text form",
		"parts/saved_model.cpb":     "chunked form",
		"zipped/config.json":        "model.export",
		"versions/2/saved_model.pb": filepath.Join("versions", "2"),
		"empty/README":              "it has no saved_model.pb",
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		given := file
		if top, _, deep := strings.Cut(path, "/"); deep && path != "m/saved_model.pb" {
			given = filepath.Join(dir, top)
		}
		_, err := savedmodel.Read(t.Context(), given, savedmodel.Options{})
		if !errors.Is(err, savedmodel.ErrNotSavedModel) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want an error that says %q", path, err, says)
		}
	}
	if _, err := savedmodel.Read(t.Context(), filepath.Join(t.TempDir(), "gone"), savedmodel.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
}

func TestReadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := savedmodel.Read(ctx, filepath.Join(zoo(t), "compiled"), savedmodel.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled, it said %v", err)
	}
}

// TestReadChanged modifies models before they are read.
func TestReadChanged(t *testing.T) {
	function := func(meta *metapb.MetaGraphDef, part string) int {
		for i, f := range meta.GetGraphDef().GetLibrary().GetFunction() {
			if strings.Contains(f.GetSignature().GetName(), part) {
				return i
			}
		}
		t.Fatalf("no function %q", part)
		return -1
	}
	for name, c := range map[string]struct {
		model  string
		change func(*metapb.MetaGraphDef)
		says   string // "" if the model still loads and gives the same outputs
	}{
		"no saver in TensorFlow 2: the object graph knows":     {"compiled", func(m *metapb.MetaGraphDef) { m.SaverDef = nil }, ""},
		"no saver in TensorFlow 1: variables have their names": {"tf1_reference", func(m *metapb.MetaGraphDef) { m.SaverDef = nil }, ""},
		"names unrelated to the values, which objects give":    {"signatures", func(m *metapb.MetaGraphDef) { m.SaverDef = nil }, ""},
		"names unrelated to the values": {"signatures", func(m *metapb.MetaGraphDef) {
			m.SaverDef, m.ObjectGraphDef.ConcreteFunctions = nil, nil
		}, `variable "`},
		"an unknown operation that nothing needs": {"signatures", func(m *metapb.MetaGraphDef) {
			f := m.GraphDef.Library.Function[function(m, "hidden")]
			n := proto.CloneOf(f.NodeDef[0])
			n.Name, n.Op, n.Input = "custom", "MyOwnOp", nil
			f.NodeDef = append(f.NodeDef, n)
		}, ""},
		"an unknown operation": {"signatures", func(m *metapb.MetaGraphDef) {
			for _, n := range m.GraphDef.Library.Function[function(m, "hidden")].NodeDef {
				if n.Op == "Relu" {
					n.Op = "MyOwnOp"
				}
			}
		}, `Relu" needs the operation MyOwnOp`},
		"a function that calls itself": {"compiled", func(m *metapb.MetaGraphDef) {
			f := m.GraphDef.Library.Function[function(m, "inner")]
			for _, outer := range m.GraphDef.Library.Function {
				for _, n := range outer.NodeDef {
					if n.GetAttr()["f"].GetFunc().GetName() == f.Signature.Name {
						call := proto.CloneOf(n)
						call.Name = "again"
						call.Input = []string{f.Signature.InputArg[0].Name, f.Signature.InputArg[1].Name}
						f.NodeDef = append(f.NodeDef, call)
						for out := range f.Ret {
							f.Ret[out] = "again:output:0"
						}
						return
					}
				}
			}
		}, "nested more than"},
		"a missing function": {"compiled", func(m *metapb.MetaGraphDef) {
			i := function(m, "inner")
			m.GraphDef.Library.Function = append(m.GraphDef.Library.Function[:i], m.GraphDef.Library.Function[i+1:]...)
		}, "which the model does not have"},
		"a missing argument": {"compiled", func(m *metapb.MetaGraphDef) {
			f := m.GraphDef.Library.Function[function(m, "inner")]
			f.Signature.InputArg = f.Signature.InputArg[:1]
		}, "arguments too many"},
		"an output of a missing node": {"compiled", func(m *metapb.MetaGraphDef) {
			f := m.GraphDef.Library.Function[function(m, "inner")]
			for out := range f.Ret {
				f.Ret[out] = "gone:output:0"
			}
		}, `no tensor "gone:output:0"`},
		"an attribute of a newer TensorFlow at its default": {"compiled", func(m *metapb.MetaGraphDef) {
			setNewAttribute(t, m, true)
		}, ""},
		"an attribute of a newer TensorFlow": {"compiled", func(m *metapb.MetaGraphDef) {
			setNewAttribute(t, m, false)
		}, `attribute "newer"`},
		"an input that is sparse": {"compiled", func(m *metapb.MetaGraphDef) {
			for _, info := range m.SignatureDef["serving_default"].Inputs {
				info.Encoding = &metapb.TensorInfo_CooSparse_{CooSparse: &metapb.TensorInfo_CooSparse{}}
			}
		}, "sparse or composite"},
		"an input left out": {"lists", func(m *metapb.MetaGraphDef) {
			m.SignatureDef["serving_default"].Inputs = nil
		}, "not an input of the signature"},
		"a missing output": {"lists", func(m *metapb.MetaGraphDef) {
			for _, info := range m.SignatureDef["serving_default"].Outputs {
				info.Encoding = &metapb.TensorInfo_Name{Name: "gone:0"}
			}
		}, `no tensor "gone"`},
		"a variable of another shape": {"tf1_resource", func(m *metapb.MetaGraphDef) {
			for _, n := range m.GraphDef.Node {
				if n.Name == "one/w" {
					n.Attr["shape"].GetShape().Dim[0].Size = 7
				}
			}
		}, "the stored shape is [4 5], the variable's [7 5]"},
		"a variable of another type": {"tf1_resource", func(m *metapb.MetaGraphDef) {
			for _, n := range m.GraphDef.Node {
				if n.Name == "one/w" {
					n.Attr["dtype"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: 2}}
				}
			}
		}, "the stored type is float32, the variable's float64"},
		"a variable that is not restored": {"tf1_resource", func(m *metapb.MetaGraphDef) {
			for _, n := range m.GraphDef.Node {
				if n.Name == "save/restore_shard" {
					n.Input = n.Input[1:]
				}
			}
		}, "neither the model's restore operation"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, c.model)
			changeModel(t, dir, c.change)
			n, err := savedmodel.Read(t.Context(), dir, savedmodel.Options{})
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				compare(t, n, examplesOf(t, dir, ""))
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one that says %q", err, c.says)
			}
		})
	}
}

// setNewAttribute gives a node an attribute unknown to this TensorFlow.
func setNewAttribute(t *testing.T, m *metapb.MetaGraphDef, usual bool) {
	t.Helper()
	value := &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: true}}
	given := value
	if !usual {
		given = &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: false}}
	}
	for _, f := range m.GraphDef.Library.Function {
		for _, n := range f.NodeDef {
			if n.Op == "Relu" {
				n.Attr["newer"] = given
			}
		}
	}
	for _, op := range m.MetaInfoDef.StrippedOpList.Op {
		if op.Name == "Relu" {
			a := proto.CloneOf(op.Attr[0])
			a.Name, a.Type, a.DefaultValue, a.AllowedValues = "newer", "bool", value, nil
			op.Attr = append(op.Attr, a)
			return
		}
	}
	t.Fatal("the model does not list its operations")
}

// TestSettledConditions checks that conditions with constant values are
// removed.
func TestSettledConditions(t *testing.T) {
	for model, gone := range map[string][]string{
		"conditions": {"StatelessIf", "Case", "RandomUniform"},
		"tf1_phases": {"RandomUniform", "PlaceholderWithDefault", "NoOp"},
		"signatures": {"AssignAddVariableOp", "Assert", "CheckNumericsV2", "NoOp", "Identity"},
	} {
		n, err := savedmodel.Read(t.Context(), filepath.Join(zoo(t), model), savedmodel.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range gone {
			if name := nodeOf(n, op); name != "" {
				t.Errorf("%s still has %s %q", model, op, name)
			}
		}
	}
}

func nodeOf(n *network.Network, op string) string {
	for _, node := range n.Graph.GetNode() {
		if node.GetOp() == op {
			return node.GetName()
		}
	}
	return ""
}
