package builder

import (
	"errors"
	"math"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"tkit/architectures"
)

// A frame is the padding around an activation. TensorFlow's "VALID" or "SAME"
// is used if it equals the layer's padding; otherwise a Pad precedes the
// operation. Explicit paddings of Conv2D are avoided, because its gradient
// ignores them.
type frame struct {
	padding string // "VALID", "SAME", or empty if a Pad is needed
	edges   [][]int32
}

func surround(s *op.Scope, w architectures.Window, shape architectures.Shape) frame {
	v, h, err := w.Spans(shape[0], shape[1])
	if err != nil {
		s.UpdateErr("Pad", err)
	}
	f := frame{edges: [][]int32{{0, 0}, {int32(v.Before), int32(v.After)}, {int32(h.Before), int32(h.After)}, {0, 0}}}
	switch {
	case v.Before+v.After+h.Before+h.After == 0:
		f.padding = "VALID"
	case v.IsSame(shape[0], w.Height, w.Stride) && h.IsSame(shape[1], w.Width, w.Stride):
		f.padding = "SAME"
	}
	return f
}

// around pads x if the operation's own padding does not suffice, and returns
// the padding left for the operation.
func (f frame) around(s *op.Scope, x tf.Output, fill float32) (tf.Output, string) {
	if f.padding != "" {
		return x, f.padding
	}
	edges := constant(s, "paddings", f.edges)
	if fill == 0 {
		return op.Pad(s, x, edges), "VALID"
	}
	return op.PadV2(s, x, edges, constant(s, "fill", fill)), "VALID"
}

func strides(w architectures.Window) []int64 { return []int64{1, int64(w.Stride), int64(w.Stride), 1} }

func size(w architectures.Window) []int64 { return []int64{1, int64(w.Height), int64(w.Width), 1} }

func conv(s *op.Scope, c architectures.Conv, x tf.Output, shape architectures.Shape, v map[string]Variable) tf.Output {
	kernel := v["kernel"].Value
	if c.Connections != nil {
		kernel = connected(s, c, kernel, shape.Channels())
	}
	x, padding := surround(s, c.Window, shape).around(s, x, 0)
	var y tf.Output
	if parts := c.Parts(); parts > 1 {
		y = grouped(s, parts, x, kernel, strides(c.Window), padding)
	} else {
		y = op.Conv2D(s, x, kernel, strides(c.Window), padding)
	}
	if c.Bias {
		y = op.BiasAdd(s, y, v["bias"].Value)
	}
	return y
}

// grouped convolves each group of channels separately: TensorFlow's CPU kernels
// have no gradient for grouped convolutions.
func grouped(s *op.Scope, parts int, x, kernel tf.Output, strides []int64, padding string) tf.Output {
	axis := constant(s, "axis", int32(3))
	inputs := op.Split(s.SubScope("inputs"), axis, x, int64(parts))
	kernels := op.Split(s.SubScope("kernels"), axis, kernel, int64(parts))
	if s.Err() != nil {
		return tf.Output{}
	}
	outputs := make([]tf.Output, parts)
	for i := range outputs {
		outputs[i] = op.Conv2D(nested(s, i), inputs[i], kernels[i], strides, padding)
	}
	return op.ConcatV2(s, outputs, axis)
}

// connected expands a kernel with a connection table to a full kernel with
// zeros, by a product with a 0/1 matrix.
func connected(s *op.Scope, c architectures.Conv, kernel tf.Output, channels int) tf.Output {
	var spread [][]float32
	for to, from := range c.Connections {
		for _, m := range from {
			slot := make([]float32, channels*c.Filters)
			slot[m*c.Filters+to] = 1
			spread = append(spread, slot)
		}
	}
	area := int32(c.Height * c.Width)
	slices := op.Reshape(s.SubScope("slices"), kernel, constant(s, "flat", []int32{area, int32(len(spread))}))
	full := op.MatMul(s, slices, constant(s, "connections", spread))
	return op.Reshape(s, full, constant(s, "shape", []int32{int32(c.Height), int32(c.Width), int32(channels), int32(c.Filters)}))
}

func pool(s *op.Scope, p architectures.Pool, x tf.Output, shape architectures.Shape) tf.Output {
	f := surround(s, p.Window, shape)
	if p.ZeroPadded && f.padding == "SAME" {
		f.padding = "" // TensorFlow always ignores its own padding
	}
	if p.Average {
		if !p.ZeroPadded && f.padding == "" {
			s.UpdateErr("AvgPool", errors.New("a mean that ignores its padding requires the padding Same or none"))
		}
		x, padding := f.around(s, x, 0)
		return op.AvgPool(s, x, size(p.Window), strides(p.Window), padding)
	}
	fill := float32(-math.MaxFloat32) // never the maximum
	if p.ZeroPadded {
		fill = 0
	}
	x, padding := f.around(s, x, fill)
	return op.MaxPool(s, x, size(p.Window), strides(p.Window), padding)
}

func subsampling(s *op.Scope, l architectures.Subsampling, x tf.Output, v map[string]Variable) tf.Output {
	w := l.Window()
	mean := op.AvgPool(s, x, size(w), strides(w), "VALID")
	area := constant(s, "area", float32(w.Height*w.Width))
	coefficient := op.Mul(s.SubScope("coefficient/scaled"), v["coefficient"].Value, area)
	return op.BiasAdd(s, op.Mul(s, mean, coefficient), v["bias"].Value)
}

func padShortcut(s *op.Scope, p architectures.PadShortcut, x tf.Output, shape architectures.Shape) tf.Output {
	stride := int32(p.Stride)
	if stride > 1 {
		x = op.StridedSlice(s, x, constant(s, "begin", []int32{0, 0, 0, 0}), constant(s, "end", []int32{0, 0, 0, 0}),
			constant(s, "strides", []int32{1, stride, stride, 1}), op.StridedSliceBeginMask(15), op.StridedSliceEndMask(15))
	}
	extra := int32(p.Channels - shape.Channels())
	return op.Pad(s, x, constant(s, "paddings", [][]int32{{0, 0}, {0, 0}, {0, 0}, {0, extra}}))
}
