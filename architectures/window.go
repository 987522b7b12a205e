package architectures

import "fmt"

// A Padding describes the border added to an activation before a window slides
// over it. The zero value means no padding.
type Padding struct {
	// Same pads so that the output has ceil(input/stride) positions, with an
	// odd row and column at the bottom and the right, like TensorFlow.
	Same bool
	// Top, Bottom, Left and Right are the rows and columns added if Same is not
	// set.
	Top, Bottom, Left, Right int
	// Ceil adds rows and columns at the bottom and the right to complete a
	// last, partial window, like Caffe's pooling.
	Ceil bool
}

// The paddings used by the papers.
var (
	Valid = Padding{}
	Same  = Padding{Same: true}
	Ceil  = Padding{Ceil: true}
)

// Pad returns a padding of n rows and columns on each side.
func Pad(n int) Padding { return Padding{Top: n, Bottom: n, Left: n, Right: n} }

// A Window is a rectangle that slides over an activation's height and width.
type Window struct {
	Height, Width int
	Stride        int
	Padding       Padding
}

// Square returns a window of n×n.
func Square(n, stride int, p Padding) Window {
	return Window{Height: n, Width: n, Stride: stride, Padding: p}
}

// A Span describes a window along one dimension of an activation.
type Span struct {
	Before, After int // padding
	Out           int // positions of the window
}

// Spans returns the padding and the number of positions of the window over an
// activation of the given height and width. It fails if the window does not
// fit, because the network's input is too small.
func (w Window) Spans(height, width int) (vertical, horizontal Span, err error) {
	if vertical, err = w.span(height, w.Height, w.Padding.Top, w.Padding.Bottom); err != nil {
		return Span{}, Span{}, fmt.Errorf("height: %w", err)
	}
	if horizontal, err = w.span(width, w.Width, w.Padding.Left, w.Padding.Right); err != nil {
		return Span{}, Span{}, fmt.Errorf("width: %w", err)
	}
	return vertical, horizontal, nil
}

func (w Window) span(in, size, before, after int) (Span, error) {
	if w.Padding.Same {
		return sameSpan(in, size, w.Stride), nil
	}
	spare := in + before + after - size
	if spare < 0 {
		return Span{}, fmt.Errorf("a window of %d does not fit into %d: the network needs a larger input", size, in+before+after)
	}
	out := spare/w.Stride + 1
	if rest := spare % w.Stride; w.Padding.Ceil && rest > 0 {
		after += w.Stride - rest
		out++
	}
	return Span{Before: before, After: after, Out: out}, nil
}

// IsSame reports whether the span over in values equals TensorFlow's "SAME"
// padding, so that no separate padding is needed.
func (s Span) IsSame(in, size, stride int) bool { return s == sameSpan(in, size, stride) }

func sameSpan(in, size, stride int) Span {
	out := (in + stride - 1) / stride
	total := max((out-1)*stride+size-in, 0)
	return Span{Before: total / 2, After: total - total/2, Out: out}
}

// String formats the window like the papers' tables: "3×3/2".
func (w Window) String() string { return fmt.Sprintf("%d×%d/%d", w.Height, w.Width, w.Stride) }
