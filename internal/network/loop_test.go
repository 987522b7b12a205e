package network

import (
	"testing"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"

	"tkit/internal/tensorflow"
)

// counting doubles its input in a loop of flat control flow until it exceeds a
// limit, then multiplies it by a weight.
func counting() *Network {
	b := newBuilder()
	x := b.input(2)
	enter := func(name, x string, constant bool) string {
		return b.op("Enter", name, attrs{
			"frame_name": stringAttr("loop"), "is_constant": boolAttr(constant),
			"parallel_iterations": {Value: &attrpb.AttrValue_I{I: 1}},
		}, x)
	}
	value := b.op("Merge", "merge", attrs{"N": {Value: &attrpb.AttrValue_I{I: 2}}}, enter("enter", x, false), "next")
	limit := enter("enter_limit", b.scalar("limit", 100), true)
	axes := b.add(newNode("Const", "axes", int32Const("", false, 0).Attr, "^merge"))
	sum := b.op("Sum", "sum", attrs{"Tidx": typeAttr(tensorflow.Int32), "keep_dims": boolAttr(false)}, value, axes)
	goOn := b.add(newNode("LoopCond", "go_on", nil, b.op("Less", "less", nil, sum, limit)))
	b.op("Switch", "switch", nil, value, goOn)
	two := b.scalar("two", 2)
	b.nodes[len(b.nodes)-1].Input = []string{"^switch_true"}
	b.op("Identity", "switch_true", nil, "switch:1")
	b.op("NextIteration", "next", nil, b.op("Mul", "double", nil, "switch_true", two))
	y := b.op("Exit", "exit", nil, "switch")
	return b.network(b.op("Mul", "out", nil, y, b.weight("factor", 1, 2)))
}

func TestFoldLoop(t *testing.T) {
	n := counting()
	x, err := tensorflow.FromFloat32([]int64{2}, []float32{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	want := run(t, n, x)
	folded, err := n.Fold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := distance(t, run(t, folded, x)[0], want[0]); d > 1e-6 {
		t.Errorf("folded loop is off by %g", d)
	}
	endpoints, err := n.Endpoints()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range endpoints {
		if _, _, err := n.Cut(e.Name, PoolNone); err != nil {
			t.Errorf("cut at %q: %v", e.Name, err)
		}
	}
	for _, inside := range []string{"merge", "double", "switch_true"} {
		if _, _, err := n.Cut(inside, PoolNone); err == nil {
			t.Errorf("cut at %q, inside the loop, succeeded", inside)
		}
	}
}
