package savedmodel

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/fuzztest"
	"tkit/internal/savedmodel/savedmodeltest"
	"tkit/internal/tensorflow"
)

// FuzzPlain makes plain graphs of models with randomly changed nodes: it must
// neither panic nor run without bound.
func FuzzPlain(f *testing.F) {
	zoo := savedmodeltest.Cached(f, "zoo", "testdata/zoo.py")
	var models []*metapb.SavedModel
	for _, name := range []string{"compiled", "conditions", "lists", "gathers", "tf1_reference", "tf1_phases", "tf1_functions"} {
		b, err := os.ReadFile(filepath.Join(zoo, name, modelFile))
		if err != nil {
			f.Fatal(err)
		}
		m := &metapb.SavedModel{}
		if err := proto.Unmarshal(b, m); err != nil {
			f.Fatal(err)
		}
		models = append(models, m)
	}
	ops, err := registry()
	if err != nil {
		f.Fatal(err)
	}
	for i := range models {
		for edit := range byte(edits) {
			f.Add(byte(i), []byte{edit, 3, 5, edit, 7, 2, edit, 20, 30})
		}
	}
	f.Fuzz(func(t *testing.T, which byte, changes []byte) {
		defer fuzztest.Watch(t, len(changes))()
		meta := proto.CloneOf(models[int(which)%len(models)].GetMetaGraphs()[0])
		for ; len(changes) >= 3; changes = changes[3:] {
			mix(meta, changes[0], int(changes[1]), int(changes[2]))
		}
		restored, err := restoredFrom(newBudget(t.Context()), meta, ops)
		if err != nil {
			return
		}
		for _, signature := range meta.GetSignatureDef() {
			p, err := plain(newBudget(t.Context()), meta, signature, ops, restored)
			if err != nil {
				continue
			}
			nodes, frozen := p.thaw()
			p.arrange(nodes, frozen)
		}
	})
}

const edits = 8

// mix makes one change to a model, using nodes i and j. Nodes are numbered
// through the functions and, from the end, through the graph.
func mix(meta *metapb.MetaGraphDef, edit byte, i, j int) {
	bodies := [][]*nodepb.NodeDef{}
	for _, function := range meta.GetGraphDef().GetLibrary().GetFunction() {
		bodies = append(bodies, function.GetNodeDef())
	}
	bodies = append(bodies, meta.GetGraphDef().GetNode())
	nodes := slices.Concat(bodies...)
	if len(nodes) == 0 {
		return
	}
	a, b := nodes[i%len(nodes)], nodes[j%len(nodes)]
	switch edit % edits {
	case 0:
		a.Op = b.GetOp()
	case 1:
		a.Input = b.GetInput()
	case 2:
		a.Attr = maps.Clone(b.GetAttr())
	case 3:
		a.Input = append(a.Input, b.GetInput()...)
	case 4:
		a.Input = a.Input[:len(a.Input)/2]
	case 5:
		a.Op, a.Input, a.Attr = b.GetOp(), b.GetInput(), maps.Clone(b.GetAttr())
	case 6:
		for name := range a.GetAttr() {
			if len(name)%3 == j%3 {
				delete(a.Attr, name)
			}
		}
	case 7:
		functions := meta.GetGraphDef().GetLibrary().GetFunction()
		if len(functions) == 0 {
			return
		}
		from := functions[i%len(functions)]
		for name := range from.GetRet() {
			from.Ret[name] = b.GetName() + ":output:0"
		}
	}
}

// FuzzProgram makes programs of models whose nodes have been mixed up, those of
// functions included.
func FuzzProgram(f *testing.F) {
	folder := savedmodeltest.Cached(f, "models", "../signatures/testdata/models.py")
	names := []string{"text", "flow", "keras_text", "tf1_reference"}
	var models []*metapb.SavedModel
	for _, name := range names {
		m, err := load(filepath.Join(folder, name))
		if err != nil {
			f.Fatal(err)
		}
		models = append(models, m)
	}
	ops, err := registry()
	if err != nil {
		f.Fatal(err)
	}
	for i := range models {
		for edit := range byte(edits) {
			f.Add(byte(i), []byte{edit, 3, 5, edit, 7, 2, edit, 20, 30})
		}
	}
	f.Fuzz(func(t *testing.T, which byte, changes []byte) {
		defer fuzztest.Watch(t, len(changes))()
		i := int(which) % len(models)
		meta := proto.CloneOf(models[i].GetMetaGraphs()[0])
		for ; len(changes) >= 3; changes = changes[3:] {
			mix(meta, changes[0], int(changes[1]), int(changes[2]))
		}
		r, err := newProgramReader(newBudget(t.Context()), meta, ops)
		if err != nil {
			return
		}
		r.program(filepath.Join(folder, names[i]))
	})
}

// FuzzTextTable reads lines as tables of every type.
func FuzzTextTable(f *testing.F) {
	f.Add([]byte("a\t1\r\nb\t2"), int8(0), int8(1), int8(-1))
	f.Add([]byte("the\ncat\n\n"), int8(wholeLine), int8(lineNumber), int8(2))
	f.Fuzz(func(t *testing.T, content []byte, key, value, size int8) {
		defer fuzztest.Watch(t, len(content))()
		format := textFormat{key: max(wholeLine, int(key)), value: max(wholeLine, int(value)), size: max(-1, int(size)), delimiter: '\t'}
		for _, dt := range []tensorflow.DataType{tensorflow.String, tensorflow.Int64, tensorflow.Float32} {
			table, err := format.parse(content, tensorflow.String, dt)
			if err != nil {
				continue
			}
			if len(table.keys.text) != table.keys.count || table.values.count != table.keys.count ||
				dt != tensorflow.String && len(table.values.data) != dt.Size()*table.values.count {
				t.Errorf("%d keys and %d values of %v in %d bytes", table.keys.count, table.values.count, dt, len(table.values.data))
			}
		}
	})
}
