package network

import (
	"testing"

	"tkit/internal/tensorflow"
)

// counted adds the number of images, as float32, and a tensor with a one for
// each.
func counted(b *builder) (number, ones string) {
	indices := func(name string, values ...int32) string { return b.add(int32Const(name, false, values...)) }
	b.add(newNode("Shape", "shape", attrs{"T": typeAttr(tensorflow.Float32), "out_type": typeAttr(tensorflow.Int32)}, "images"))
	slice := attrs{"T": typeAttr(tensorflow.Int32), "Index": typeAttr(tensorflow.Int32), "shrink_axis_mask": intAttr(1)}
	b.add(newNode("StridedSlice", "count", slice, "shape", indices("from", 0), indices("to", 1), indices("by", 1)))
	number = b.add(newNode("Cast", "number", attrs{"SrcT": typeAttr(tensorflow.Int32), "DstT": typeAttr(tensorflow.Float32)}, "count"))
	return number, b.op("OnesLike", "ones", nil, "images")
}

// Values that depend on the number of images or on their positions in the batch
// are not proved independent, though no image influences another's output.
func TestIndependenceOfNumber(t *testing.T) {
	int32s := func(name string) attrs { return attrs{name: typeAttr(tensorflow.Int32)} }
	for name, c := range map[string]struct {
		build  func(b *builder, number, ones string) string
		proved bool
	}{
		"ones for each": {func(b *builder, _, ones string) string { return b.op("Mul", "y", nil, "images", ones) }, true},
		"sums of ones within each": {func(b *builder, _, ones string) string {
			sums := b.op("Cumsum", "sums", int32s("Tidx"), ones, b.add(int32Const("axis", true, 3)))
			return b.op("Mul", "y", nil, "images", sums)
		}, true},
		"their sums along the batch": {func(b *builder, _, ones string) string {
			places := b.op("Cumsum", "places", int32s("Tidx"), ones, b.add(int32Const("axis", true, 0)))
			return b.op("Mul", "y", nil, "images", places)
		}, false},
		"their sum": {func(b *builder, _, ones string) string {
			sum := b.op("Sum", "sum", int32s("Tidx"), ones, b.add(int32Const("axes", false, 0, 1, 2, 3)))
			return b.op("Mul", "y", nil, "images", sum)
		}, false},
		"a kernel by the number": {func(b *builder, number, _ string) string {
			kernel := b.op("Mul", "kernel", nil, b.weight("w", 0, 1, 1, 2, 2), number)
			return b.op("Conv2D", "y", convAttrs("SAME"), "images", kernel)
		}, false},
		"padding with the number": {func(b *builder, number, _ string) string {
			return b.op("PadV2", "y", int32s("Tpaddings"), "images", b.add(int32Matrix("pads", 4, 2)), number)
		}, false},
		"resizing to the number": {func(b *builder, _, _ string) string {
			size := b.add(newNode("Pack", "size", attrs{"T": typeAttr(tensorflow.Int32), "N": intAttr(2)}, "count", "count"))
			return b.op("ResizeBilinear", "y", nil, "images", size)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBuilder()
			b.input(-1, 4, 4, 2)
			number, ones := counted(b)
			found, err := b.network(c.build(b, number, ones)).Independence()
			if err != nil || found.Mixes != nil || found.Proved != c.proved {
				t.Errorf("%+v, %v; want proved %v", found, err, c.proved)
			}
		})
	}
}
