package architectures_test

import (
	"testing"

	"tkit/architectures"
)

func TestSpans(t *testing.T) {
	asymmetric := architectures.Padding{Bottom: 1, Right: 1}
	for _, c := range []struct {
		what               string
		in, size, stride   int
		padding            architectures.Padding
		before, after, out int
		same               bool
	}{
		{"AlexNet conv1", 227, 11, 4, architectures.Valid, 0, 0, 55, false},
		{"VGG convolution", 224, 3, 1, architectures.Pad(1), 1, 1, 224, true},
		{"ResNet conv1", 224, 7, 2, architectures.Pad(3), 3, 3, 112, false},
		{"the same by TensorFlow's padding", 224, 7, 2, architectures.Same, 2, 3, 112, true},
		{"ZF Net conv1", 224, 7, 2, architectures.Pad(1), 1, 1, 110, false},
		{"ZF Net pool1", 110, 3, 2, architectures.Ceil, 0, 1, 55, true},
		{"its asymmetric padding spelled out", 110, 3, 2, asymmetric, 0, 1, 55, true},
		{"floor alone", 110, 3, 2, architectures.Valid, 0, 0, 54, false},
		{"a pool that needs no ceiling", 13, 3, 2, architectures.Ceil, 0, 0, 6, false},
		{"a stride larger than its window", 5, 2, 3, architectures.Same, 0, 0, 2, true},
		{"a stride without a window", 7, 1, 2, architectures.Valid, 0, 0, 4, true},
	} {
		v, h, err := architectures.Square(c.size, c.stride, c.padding).Spans(c.in, c.in)
		if want := (architectures.Span{Before: c.before, After: c.after, Out: c.out}); err != nil || v != want || h != want {
			t.Errorf("%s: %+v and %+v, %v, want %+v", c.what, v, h, err, want)
		}
		if got := v.IsSame(c.in, c.size, c.stride); got != c.same {
			t.Errorf("%s: IsSame is %t, want %t", c.what, got, c.same)
		}
	}
	if _, _, err := architectures.Square(3, 1, architectures.Valid).Spans(2, 9); err == nil {
		t.Error("a window of 3 fits into a height of 2")
	}
}
