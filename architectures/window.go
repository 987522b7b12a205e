package architectures

import "fmt"

// A Padding says what surrounds an activation before a window slides over it.
// The zero value is no padding.
type Padding struct {
	// Same pads so that the output has ceil(input/stride) positions, the odd
	// row and column at the bottom and the right, as TensorFlow does.
	Same bool
	// Top, Bottom, Left and Right are rows and columns added where Same is not set.
	Top, Bottom, Left, Right int
	// Ceil adds the rows and columns at the bottom and the right that complete
	// a last, partial window, as Caffe's pooling does.
	Ceil bool
}

// The paddings that the papers use.
var (
	Valid = Padding{}
	Same  = Padding{Same: true}
	Ceil  = Padding{Ceil: true}
)

// Pad adds n rows and columns on each side.
func Pad(n int) Padding { return Padding{Top: n, Bottom: n, Left: n, Right: n} }

// A Window is a rectangle that slides over an activation's height and width.
type Window struct {
	Height, Width int
	Stride        int
	Padding       Padding
}

// Square is a window of n×n.
func Square(n, stride int, p Padding) Window {
	return Window{Height: n, Width: n, Stride: stride, Padding: p}
}

// A Span is what a window does along one dimension of an activation.
type Span struct {
	Before, After int // padding
	Out           int // positions of the window
}

// Spans gives the padding and the number of positions of the window over an
// activation of the given height and width. It fails where the window does not
// fit, which is where the network's input is too small.
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

// IsSame tells whether the span over in values is what TensorFlow's "SAME"
// padding gives, so that no separate padding is needed.
func (s Span) IsSame(in, size, stride int) bool { return s == sameSpan(in, size, stride) }

func sameSpan(in, size, stride int) Span {
	out := (in + stride - 1) / stride
	total := max((out-1)*stride+size-in, 0)
	return Span{Before: total / 2, After: total - total/2, Out: out}
}

// String writes the window as the papers' tables do: "3×3/2".
func (w Window) String() string { return fmt.Sprintf("%d×%d/%d", w.Height, w.Width, w.Stride) }
