package builder_test

import (
	"math"
	"testing"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"tkit/architectures"
	"tkit/architectures/builder"
)

func TestGradientsReachEveryVariable(t *testing.T) {
	for _, c := range []struct {
		name  string
		input [3]int
	}{
		{"lenet5", [3]int{32, 32, 1}},
		{"lenet5-paper", [3]int{32, 32, 1}},
		{"resnet20-cifar", [3]int{32, 32, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkGradients(t, build(t, c.name, 3, c.input))
		})
	}
}

func build(t *testing.T, name string, classes int, input [3]int) *architectures.Graph {
	t.Helper()
	a, err := architectures.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	g, err := a.Build(classes, input)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// checkGradients takes the gradient of the cross-entropy of the logits and of
// all auxiliary logits.
func checkGradients(t *testing.T, g *architectures.Graph) {
	weights, err := builder.Initial(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	var gradients []tf.Output
	m := start(t, g, true, weights, func(s *op.Scope, m *model) {
		var losses, values []tf.Output
		for i, logits := range append([]tf.Output{m.Logits}, m.Auxiliary...) {
			each := s.SubScope("loss")
			labels := make([][]float32, 2)
			for n := range labels {
				labels[n] = make([]float32, logits.Shape().Size(1))
				labels[n][(n+i)%len(labels[n])] = 1
			}
			loss, _ := op.SoftmaxCrossEntropyWithLogits(each, logits, op.Const(each.SubScope("labels"), labels))
			losses = append(losses, loss)
		}
		for _, v := range m.Variables {
			if v.Trainable {
				names, values = append(names, v.Name), append(values, v.Value)
			}
		}
		gradients = op.Gradients(s, losses, values)
	})
	for i, gradient := range m.run(t, 0, batch(t, 2, g.Input), gradients) {
		var largest float64
		for _, d := range gradient {
			largest = math.Max(largest, math.Abs(float64(d)))
			if math.IsNaN(float64(d)) {
				largest = math.NaN()
				break
			}
		}
		if largest == 0 || math.IsNaN(largest) || math.IsInf(largest, 0) {
			t.Errorf("gradient of %s: largest magnitude %v", names[i], largest)
		}
	}
}
