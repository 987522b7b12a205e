package network

import (
	"testing"

	"tkit/internal/tensorflow"
)

// A network that declares any batch size but was built for one image takes any.
func TestAnyBatchOfOne(t *testing.T) {
	b := newBuilder()
	b.input(-1, 2, 2, 3)
	to := b.add(int32Const("to", false, 1, 12))
	n, err := b.network(b.op("Reshape", "flat", attrs{"Tshape": typeAttr(tensorflow.Int32)}, "images", to)).AnyBatch()
	if err != nil {
		t.Fatal(err)
	}
	if got := run(t, n, example(t, n))[0]; len(got) != 24 {
		t.Errorf("%d values of two images, want 24", len(got))
	}
	again, err := n.AnyBatch()
	if err != nil || again != n {
		t.Errorf("it is changed once more: %v", err)
	}
}
