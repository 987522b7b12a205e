package inference_test

import (
	"errors"
	"image/png"
	"math"
	"slices"
	"testing"

	"tkit/inference"
	"tkit/internal/preprocessing"
)

func TestParsePrecision(t *testing.T) {
	for s, want := range map[string]inference.Precision{"": inference.FP32, "fp32": inference.FP32, "bf16": inference.BF16} {
		if p, err := inference.ParsePrecision(s); err != nil || p != want {
			t.Errorf("%q: %v, %v", s, p, err)
		}
	}
	if _, err := inference.ParsePrecision("int8"); !errors.Is(err, inference.ErrPrecision) {
		t.Errorf("int8: %v", err)
	}
	if err := inference.FP32.Supported(); err != nil {
		t.Error(err)
	}
}

func TestGuard(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		candidate []float32
		allowed   bool
		same      float64
	}{
		"equal":        {[]float32{.9, .1, .4, .6}, true, 1},
		"near":         {[]float32{.88, .12, .43, .57}, true, 1},
		"far":          {[]float32{.8, .2, .4, .6}, false, 1},
		"other answer": {[]float32{.9, .1, .51, .49}, false, .5},
		"not a number": {[]float32{.9, .1, nan, nan}, false, .5},
	} {
		a, err := inference.Compare([]float32{.9, .1, .4, .6}, c.candidate, 2)
		if err != nil || a.Samples != 2 || a.Same != c.same {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		err = inference.DefaultGuard.Allows(a)
		if (err == nil) != c.allowed || err != nil && !errors.Is(err, inference.ErrPrecision) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, classes := range []int{0, 3, -1} {
		if _, err := inference.Compare([]float32{1, 0, 1, 0}, []float32{1, 0, 1, 0}, classes); err == nil {
			t.Errorf("%d classes in 4 probabilities", classes)
		}
	}
	if _, err := inference.Compare(nil, nil, 2); err == nil {
		t.Error("no samples agree")
	}
}

// A trunk computes in bfloat16 on any processor, with nearly the same results
// as in FP32.
func TestBFloat16(t *testing.T) {
	path := trunkFile(t)
	var answers [2][]float32
	for i, p := range []inference.Precision{inference.FP32, inference.BF16} {
		trunk, err := inference.OpenTrunk(path, inference.TrunkOptions{Precision: p})
		if err != nil {
			t.Fatal(err)
		}
		defer trunk.Close()
		if trunk.Precision() != p || trunk.Digest() != openTrunk(t).Digest() {
			t.Errorf("%s in %s", trunk.Digest(), trunk.Precision())
		}
		s := inference.Stream{Pipeline: compile(t, preprocessing.ForMode("unit", side, side, 3)), Trunk: trunk, Head: openHead(t), Batch: 3}
		rows, faults := streamed(t, s, [][]byte{drawn(t, 9, 9, png.Encode), drawn(t, 60, 50, png.Encode), drawn(t, 40, 90, asJPEG), drawn(t, 200, 200, asJPEG)})
		if err := errors.Join(faults...); err != nil {
			t.Fatal(err)
		}
		answers[i] = slices.Concat(rows...)
	}
	a, err := inference.Compare(answers[0], answers[1], 3)
	if err != nil || a.Samples != 4 || a.Same != 1 || a.Largest == 0 || a.Largest > .02 {
		t.Errorf("%+v, %v", a, err)
	}
	strict := inference.Guard{Same: 1, Largest: a.Largest / 2}
	if err := strict.Allows(a); !errors.Is(err, inference.ErrPrecision) {
		t.Errorf("a guard stricter than the difference: %v", err)
	}
}
