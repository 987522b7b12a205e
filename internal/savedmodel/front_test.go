package savedmodel_test

import (
	"path/filepath"
	"strings"
	"testing"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/network"
	"tkit/internal/savedmodel"
	"tkit/internal/tensorflow"
)

// A front that does not fit is refused before anything is written. Its
// computation is tested in registry/export.
func TestFrontMustFit(t *testing.T) {
	n, err := savedmodel.Read(t.Context(), filepath.Join(zoo(t), "compiled"), savedmodel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	in, err := n.Input("")
	if err != nil {
		t.Fatal(err)
	}
	wider := append([]int64{-1}, make([]int64, len(in.Shape))...)
	placeholder := func(name string) []*nodepb.NodeDef {
		return []*nodepb.NodeDef{network.PlaceholderNode(name, in.DataType, in.Shape)}
	}
	port := network.TensorInfo{Name: "given", Tensor: "given:0", DataType: in.DataType, Shape: in.Shape}
	for name, c := range map[string]struct {
		front savedmodel.Front
		want  string // "" for success
	}{
		"fits":            {savedmodel.Front{Signature: "given", Nodes: placeholder("given"), Input: port, Output: port}, ""},
		"no signature":    {savedmodel.Front{Nodes: placeholder("given"), Input: port, Output: port}, "different name"},
		"same signature":  {savedmodel.Front{Signature: "serving_default", Nodes: placeholder("given"), Input: port, Output: port}, "different name"},
		"a node of both":  {savedmodel.Front{Signature: "given", Nodes: placeholder(n.Graph.Node[0].GetName()), Input: port, Output: port}, "already has a node"},
		"another type":    {savedmodel.Front{Signature: "given", Nodes: placeholder("given"), Input: port, Output: network.TensorInfo{Tensor: "given:0", DataType: tensorflow.Int32, Shape: in.Shape}}, "its output is int32"},
		"another rank":    {savedmodel.Front{Signature: "given", Nodes: placeholder("given"), Input: port, Output: network.TensorInfo{Tensor: "given:0", DataType: in.DataType, Shape: wider}}, "the network's input is"},
		"malformed names": {savedmodel.Front{Signature: "given", Nodes: placeholder("given"), Input: port, Output: network.TensorInfo{Tensor: ":x", DataType: in.DataType, Shape: in.Shape}}, "malformed"},
	} {
		dir := filepath.Join(t.TempDir(), "model")
		err := savedmodel.Write(t.Context(), dir, savedmodel.Export{Network: n, Front: &c.front})
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err != nil {
			continue
		}
		again, err := savedmodel.Read(t.Context(), dir, savedmodel.Options{Signature: "given"})
		if err != nil || again.Inputs[0].Name != "given" {
			t.Errorf("%s: the second signature: %v", name, err)
		}
		if err == nil {
			again.Close()
		}
	}
}
