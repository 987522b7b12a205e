package network

import (
	"fmt"
	"strings"
	"testing"

	"tkit/internal/tensorflow"
)

// TestFoldLongChains folds a chain that would take minutes if each node
// followed the whole path before it.
func TestFoldLongChains(t *testing.T) {
	b := newBuilder()
	last := b.input(-1, 4)
	const n = 40000
	for i := range n {
		last = b.op("Identity", fmt.Sprintf("i%d", i), nil, last)
	}
	folded, err := b.network(b.op("Relu", "y", nil, last)).Fold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(folded.Graph.GetNode()) != 2 {
		t.Errorf("%d nodes are left of a chain of identities", len(folded.Graph.GetNode()))
	}
}

// TestFoldRefusesHugeValues folds constants that expand from a few bytes.
func TestFoldRefusesHugeValues(t *testing.T) {
	int64s := attrs{"index_type": typeAttr(tensorflow.Int64)}
	dims := func(b *builder, name string, v int64) string {
		raw := make([]byte, 8)
		for i := range raw {
			raw[i] = byte(v >> (8 * i))
		}
		return b.add(ConstNode(name, tensorflow.Int64, []int64{1}, raw))
	}
	for name, c := range map[string]struct {
		build func(b *builder) string
		says  string
	}{
		"one value": {func(b *builder) string {
			return b.op("Fill", "huge", int64s, dims(b, "dims", 1<<40), b.scalar("zero", 0))
		}, `"huge:0"`},
		"a value on the way to a small one": {func(b *builder) string {
			huge := b.op("Fill", "huge", int64s, dims(b, "dims", 1<<40), b.scalar("zero", 0))
			axis := b.add(int32Const("axis", true, 0))
			return b.op("Max", "max", attrs{"Tidx": typeAttr(tensorflow.Int32)}, huge, axis)
		}, `"huge:0"`},
		"an outer product": {func(b *builder) string {
			column := b.op("ExpandDims", "column", attrs{"Tdim": typeAttr(tensorflow.Int32)},
				b.op("Fill", "row", int64s, dims(b, "dims", 1<<20), b.scalar("one", 1)), b.add(int32Const("axis", true, 1)))
			return b.op("Mul", "outer", nil, column, "row")
		}, `"outer:0"`},
		"many values": {func(b *builder) string {
			var all []string
			for i := range 6 {
				all = append(all, b.op("Fill", fmt.Sprintf("f%d", i), int64s, dims(b, fmt.Sprintf("d%d", i), 1<<28), b.scalar(fmt.Sprintf("v%d", i), float32(i))))
				all[i] = b.op("AddV2", fmt.Sprintf("a%d", i), nil, "images", all[i])
			}
			return b.op("AddN", "sum", attrs{"N": intAttr(6)}, all...)
		}, "the values that do not depend on the input take more than"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBuilder()
			b.input(-1, 1)
			n := b.network(b.op("AddV2", "y", nil, "images", c.build(b)))
			if _, err := n.Fold(t.Context()); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want an error that says %q", err, c.says)
			}
		})
	}
}

// TestFoldLists checks that lists of tensors, which cannot be constants, stay
// unfolded.
func TestFoldLists(t *testing.T) {
	b := newBuilder()
	x := b.input(3)
	shape := b.add(int32Const("shape", false, 3))
	count := b.add(int32Const("count", true, 2))
	list := attrs{"element_dtype": typeAttr(tensorflow.Float32)}
	b.nodes = append(b.nodes, newNode("TensorListReserve", "list", attrs{"element_dtype": list["element_dtype"], "shape_type": typeAttr(tensorflow.Int32)}, shape, count))
	set := "list"
	for i := range 2 {
		index := b.add(int32Const(fmt.Sprintf("i%d", i), true, int32(i)))
		name := fmt.Sprintf("set%d", i)
		b.nodes = append(b.nodes, newNode("TensorListSetItem", name, list, set, index, x))
		set = name
	}
	b.nodes = append(b.nodes, newNode("TensorListStack", "stack", list, set, shape))
	n := b.network(b.op("Relu", "y", nil, "stack"))
	folded, err := n.Fold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := run(t, folded, example(t, folded))[0]; len(got) != 6 {
		t.Errorf("%v, want two rows of three", got)
	}
}
