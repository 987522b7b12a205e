package savedmodel

import (
	"strings"
	"testing"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"tkit/internal/fuzztest"
)

// TestUnmarshal checks that protocol buffers that would take much more memory
// than bytes are refused before they take it.
func TestUnmarshal(t *testing.T) {
	node := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), nil) // an empty node of a graph
	many := make([]byte, 0, 2*maxFields+2)
	for range maxFields + 1 {
		many = append(many, node...)
	}
	done := fuzztest.Watch(t, 0)
	if err := unmarshal(many, &graphpb.GraphDef{}); err == nil || !strings.Contains(err.Error(), "more than 8388608 parts") {
		t.Errorf("many nodes: %v", err)
	}
	done()

	inside := func(number protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), b)
	}
	var function []byte // attributes are functions whose attributes are functions
	for range maxNesting {
		function = inside(2, inside(2, inside(10, function)))
	}
	graph := inside(1, inside(5, inside(2, inside(10, function))))
	if err := unmarshal(graph, &graphpb.GraphDef{}); err == nil || !strings.Contains(err.Error(), "more than 100 deep") {
		t.Errorf("deep messages: %v", err)
	}
}

// FuzzUnmarshal parses any bytes as a model.
func FuzzUnmarshal(f *testing.F) {
	b, err := proto.Marshal(&metapb.SavedModel{MetaGraphs: []*metapb.MetaGraphDef{{GraphDef: &graphpb.GraphDef{Node: newHostile().nodes}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		m := &metapb.SavedModel{}
		if unmarshal(b, m) != nil {
			if proto.Unmarshal(b, m) == nil && len(b) < maxNesting {
				t.Fatal("what is a message was refused")
			}
			return
		}
		ops, err := registry()
		if err != nil {
			t.Fatal(err)
		}
		for _, meta := range m.GetMetaGraphs() {
			budget := newBudget(t.Context())
			restored, err := restoredFrom(budget, meta, ops)
			if err != nil {
				continue
			}
			for _, signature := range meta.GetSignatureDef() {
				plain(budget, meta, signature, ops, restored)
			}
		}
	})
}
