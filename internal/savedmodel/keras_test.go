package savedmodel_test

import (
	"testing"

	"tkit/internal/savedmodel"
	"tkit/internal/savedmodel/savedmodeltest"
)

// bases lists networks built and exported by Keras, with the number of their
// weights: kernels, biases, batch-norm scales, offsets and statistics.
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
