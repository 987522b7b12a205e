package inference_test

import (
	"errors"
	"math"
	"testing"

	"tkit/inference"
	"tkit/internal/tensorflow"
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

// TestAgreeInBFloat16 computes in bfloat16 on any processor, as TensorFlow does.
func TestAgreeInBFloat16(t *testing.T) {
	path := trunkFile(t)
	reference, err := inference.OpenTrunk(path, tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer reference.Close()
	candidate, err := inference.OpenTrunkIn(inference.BF16, path, tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer candidate.Close()
	if candidate.Precision() != inference.BF16 || candidate.Digest() != reference.Digest() {
		t.Errorf("candidate is %s in %s", candidate.Digest(), candidate.Precision())
	}
	head := openHead(t)
	var samples []*tensorflow.Tensor
	for _, rows := range []int64{3, 2} {
		batch, err := tensorflow.NewTensor(tensorflow.Float32, rows, side, side, 3)
		if err != nil {
			t.Fatal(err)
		}
		defer batch.Close()
		for i, v := 0, batch.Float32(); i < len(v); i++ {
			v[i] = float32(i%3)*.7 + float32(i%11)/100
		}
		samples = append(samples, batch)
	}
	a, err := inference.Agree(t.Context(), reference, candidate, head, samples...)
	if err != nil || a.Samples != 5 || a.Same != 1 || a.Largest == 0 || a.Largest > .02 {
		t.Errorf("%+v, %v", a, err)
	}
	_, err = inference.DefaultGuard.Check(t.Context(), reference, candidate, head, samples...)
	if supported := inference.BF16.Supported(); (err == nil) != (supported == nil) {
		t.Errorf("checked: %v, supported: %v", err, supported)
	}
	strict := inference.Guard{Same: 1, Largest: a.Largest / 2}
	if err := strict.Allows(a); !errors.Is(err, inference.ErrPrecision) {
		t.Errorf("a guard stricter than the difference: %v", err)
	}
	if _, err := inference.Agree(t.Context(), reference, candidate, head); err == nil {
		t.Error("no samples agree")
	}
}
