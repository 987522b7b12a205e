package savedmodel_test

import (
	"math"
	"testing"

	"tkit/internal/network"
	"tkit/internal/savedmodel"
	"tkit/internal/savedmodel/savedmodeltest"
	"tkit/internal/tensorflow"
)

// bases are the networks that Keras builds and exports for the tests, with the
// number of their weights: kernels, biases, batch-norm scales, offsets and
// statistics, each once.
var bases = map[string]struct{ weights, trainable int }{
	"inception_v3": {378, 190},
	"resnet50":     {320, 214},
	"vgg16":        {32, 32},
	"mobilenet_v2": {262, 158},
}

func TestReadKerasBases(t *testing.T) {
	for name, want := range bases {
		t.Run(name, func(t *testing.T) {
			dir := savedmodeltest.Keras(t, name)
			n, err := savedmodel.Read(t.Context(), dir, savedmodel.Options{})
			if err != nil {
				t.Fatal(err)
			}
			trainable := 0
			for _, w := range n.Weights {
				if w.Trainable {
					trainable++
				}
			}
			if len(n.Weights) != want.weights || trainable != want.trainable {
				t.Errorf("%d weights, %d trainable; want %v", len(n.Weights), trainable, want)
			}
			input, output := savedmodeltest.Example(t, dir)
			same(t, answer(t, n, input)[0], output)
		})
	}
}

// answer runs a network on its inputs.
func answer(t testing.TB, n *network.Network, inputs ...savedmodeltest.Array) []savedmodeltest.Array {
	t.Helper()
	l, err := n.Load(tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var in []*tensorflow.Tensor
	for _, a := range inputs {
		x, err := tensorflow.FromFloat32(a.Shape, a.Values)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		in = append(in, x)
	}
	out, err := l.Run(t.Context(), in...)
	if err != nil {
		t.Fatal(err)
	}
	var answers []savedmodeltest.Array
	for _, x := range out {
		defer x.Close()
		answers = append(answers, savedmodeltest.Array{Shape: x.Shape(), Values: append([]float32(nil), x.Float32()...)})
	}
	return answers
}

// same compares answers to 1e-5 of the largest.
func same(t testing.TB, got, want savedmodeltest.Array) {
	t.Helper()
	if len(got.Values) != len(want.Values) {
		t.Fatalf("shape %v, want %v", got.Shape, want.Shape)
	}
	largest, worst := 0.0, 0.0
	for i, w := range want.Values {
		largest = max(largest, math.Abs(float64(w)))
		worst = max(worst, math.Abs(float64(got.Values[i]-w)))
	}
	if !(worst <= 1e-5*max(largest, 1e-3)) {
		t.Errorf("answers differ by %g where the largest is %g", worst, largest)
	}
}
