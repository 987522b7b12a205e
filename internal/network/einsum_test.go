package network

import (
	"slices"
	"testing"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// TestExplicitSums compares with matrix products. Without ExplicitSums
// TensorFlow computes the first wrongly.
func TestExplicitSums(t *testing.T) {
	b := newBuilder()
	b.input(-1, 16, 16, 8)
	sum := attrs{"equation": stringAttr("...c,ck->...k"), "N": intAttr(2)}
	b.op("Einsum", "sum", sum, "images", b.weight("w", 0, 8, 10))
	b.op("Conv2D", "same", convAttrs("SAME"), "images", b.op("Reshape", "kernel", attrs{"Tshape": typeAttr(tensorflow.Int32)}, "w/read", b.add(int32Const("shape", false, 1, 1, 8, 10))))
	n, err := b.network("sum", "same").ExplicitSums()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(n.Graph.GetNode(), func(node *nodepb.NodeDef) bool { return node.GetOp() == "Einsum" })
	if got := attrString(n.Graph.GetNode()[at], "equation", ""); got != "xyzc,ck->xyzk" {
		t.Errorf("the equation is %q", got)
	}
	out := run(t, n, example(t, n))
	if d := distance(t, out[0], out[1]); d > 1e-5 {
		t.Errorf("it is %g off", d)
	}
}

func TestExplicitSumsRefuses(t *testing.T) {
	b := newBuilder()
	b.input(-1, 5, 6, 8)
	sum := attrs{"equation": stringAttr("...c,...ck->...k"), "N": intAttr(2)}
	b.op("Einsum", "sum", sum, "images", b.weight("w", 0, 1, 1, 1, 8, 3))
	if n, err := b.network("sum").ExplicitSums(); err == nil {
		t.Errorf("%v is accepted", n)
	}
}
