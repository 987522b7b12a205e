package network

import (
	"strings"
	"testing"

	"tkit/internal/tensorflow"
)

func TestPrune(t *testing.T) {
	b := newBuilder()
	x := b.input(-1, 4)
	other := b.add(PlaceholderNode("other", tensorflow.Float32, []int64{-1, 4}))
	x = b.dense("first", x, 4, 3)
	y := b.op("AddV2", "sum", nil, b.dense("second", other, 4, 3), x)
	b.nodes[len(b.nodes)-1].Attr["_class"] = stringAttr("loc:@elsewhere")
	n := b.network(x, y)
	one, err := n.Prune(x)
	if err != nil {
		t.Fatal(err)
	}
	if len(one.Weights) != 2 || len(one.Inputs) != 1 || len(one.Outputs) != 1 || one.Validate() != nil {
		t.Errorf("one output takes %v, %v", one.Weights, one.Inputs)
	}
	all, err := n.Prune()
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Weights) != 4 || len(all.Inputs) != 2 || all.Validate() != nil {
		t.Errorf("all outputs take %v, %v", all.Weights, all.Inputs)
	}
	for _, node := range all.Graph.GetNode() {
		if node.GetAttr()["_class"] != nil {
			t.Errorf("%q still has a colocation constraint", node.GetName())
		}
	}
	if _, err := n.Prune("none"); err == nil || !strings.Contains(err.Error(), "no output") {
		t.Errorf("an unknown output: %v", err)
	}
}
