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
)

// FuzzPlain makes plain graphs of models whose nodes have been mixed up: it
// must neither panic nor run away, whatever refers to whatever.
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

// mix makes one change to a model: of node i, after node j. Nodes count
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
