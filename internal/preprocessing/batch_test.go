package preprocessing

import (
	"math"
	"strings"
	"testing"
)

func TestBatchValidate(t *testing.T) {
	for _, c := range []struct {
		name  string
		batch Batch
		want  string // in the error; empty for none
	}{
		{"encoded", Batch{Kind: Encoded, Count: 2, Encoded: [][]byte{{1}, nil}}, ""},
		{"uint8", Batch{Kind: Uint8, Count: 2, Shape: [3]int{2, 3, 1}, Uint8: make([]uint8, 12)}, ""},
		{"float32", Batch{Kind: Float32, Count: 1, Shape: [3]int{2, 2, 3}, Float32: make([]float32, 12)}, ""},
		{"empty", Batch{Kind: Uint8, Shape: [3]int{2, 2, 3}}, ""},
		{"no kind", Batch{}, "unknown kind 0"},
		{"unknown kind", Batch{Kind: 9}, "unknown kind 9"},
		{"negative", Batch{Kind: Encoded, Count: -1}, "-1 images"},
		{"too few files", Batch{Kind: Encoded, Count: 2, Encoded: [][]byte{{1}}}, "2 encoded images has 1"},
		{"shaped files", Batch{Kind: Encoded, Count: 1, Shape: [3]int{1, 1, 1}, Encoded: [][]byte{{1}}}, "none"},
		{"too short", Batch{Kind: Uint8, Count: 2, Shape: [3]int{2, 3, 1}, Uint8: make([]uint8, 11)}, "11 values, want 12"},
		{"two kinds", Batch{Kind: Uint8, Count: 1, Shape: [3]int{1, 1, 1}, Uint8: []uint8{1}, Float32: []float32{1}}, "kind float32"},
		{"no side", Batch{Kind: Uint8, Count: 1, Shape: [3]int{0, 3, 1}}, "0×3×1"},
		{"negative sides", Batch{Kind: Uint8, Count: 1, Shape: [3]int{-1, -1, 1}, Uint8: []uint8{1}}, "-1×-1×1"},
		{"overflow", Batch{Kind: Float32, Count: math.MaxInt, Shape: [3]int{4, 4, 4}}, "more than"},
		{"too large", Batch{Kind: Float32, Count: 1, Shape: [3]int{1 << 15, 1 << 15, 1}}, "more than"},
	} {
		err := c.batch.Validate()
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestBatchFinite(t *testing.T) {
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		b := Batch{Kind: Float32, Count: 3, Shape: [3]int{1, 2, 1}, Float32: []float32{1, 2, 3, math.MaxFloat32, bad, 6}}
		if image, ok := b.Finite(); ok || image != 2 {
			t.Errorf("%g: image %d, %t", bad, image, ok)
		}
		if _, ok := b.Image(1).Finite(); !ok {
			t.Errorf("the image beside the one with %g is not finite", bad)
		}
	}
}

func TestBatchImage(t *testing.T) {
	files := Batch{Kind: Encoded, Count: 2, Encoded: [][]byte{{1}, {2}}}
	grey := Batch{Kind: Uint8, Count: 2, Shape: [3]int{1, 2, 1}, Uint8: []uint8{1, 2, 3, 4}}
	floats := Batch{Kind: Float32, Count: 2, Shape: [3]int{1, 1, 2}, Float32: []float32{1, 2, 3, float32(math.NaN())}}
	for _, b := range []Batch{files, grey, floats} {
		if err := b.Image(1).Validate(); err != nil {
			t.Error(err)
		}
		if !b.Equal(b) || b.Image(0).Equal(b.Image(1)) || b.Equal(b.Image(0)) {
			t.Errorf("%s: Equal is wrong", b.Kind)
		}
	}
	if got := grey.Image(1).Uint8; got[0] != 3 || len(got) != 2 {
		t.Errorf("image 1 is %v", got)
	}
	if files.Equal(grey) {
		t.Error("files equal pixels")
	}
}
