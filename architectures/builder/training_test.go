package builder_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"tkit/architectures"
	"tkit/architectures/builder"
	"tkit/internal/needs"
)

// TestGradientsReachEveryVariable does one backward pass through every kind of
// network with its initial weights; networks of one table differ only in depth.
func TestGradientsReachEveryVariable(t *testing.T) {
	needs.Minutes(t)
	for _, c := range []struct {
		name  string
		input [3]int
	}{
		{"lenet5", [3]int{32, 32, 1}},
		{"lenet5-paper", [3]int{32, 32, 1}},
		{"alexnet", [3]int{67, 67, 3}},
		{"alexnet-ungrouped", [3]int{67, 67, 3}},
		{"alexnet-onetower", [3]int{63, 63, 3}},
		{"zfnet", [3]int{64, 64, 3}},
		{"vgg11", [3]int{32, 32, 3}},
		{"googlenet", [3]int{64, 64, 3}},
		{"googlenet-aux", [3]int{96, 96, 3}},
		{"googlenet-bn", [3]int{64, 64, 3}},
		{"googlenet-torchvision", [3]int{64, 64, 3}},
		{"inceptionv3", [3]int{107, 107, 3}},
		{"inceptionv3-torchvision", [3]int{299, 299, 3}},
		{"resnet18", [3]int{64, 64, 3}},
		{"resnet50", [3]int{64, 64, 3}},
		{"resnet50v1.5", [3]int{64, 64, 3}},
		{"resnet50-keras", [3]int{64, 64, 3}},
		{"resnet18v2", [3]int{64, 64, 3}},
		{"resnet50v2", [3]int{64, 64, 3}},
		{"resnet50v2-keras", [3]int{64, 64, 3}},
		{"resnet20-cifar", [3]int{32, 32, 3}},
		{"efficientnet-lite0", [3]int{64, 64, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkGradients(t, build(t, c.name, 3, c.input))
		})
	}
}

// checkGradients computes the gradient of the cross-entropy of the logits and
// of all auxiliary logits.
func checkGradients(t *testing.T, g *architectures.Graph) {
	weights, err := builder.Initial(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	var trained []builder.Variable
	var sizes []tf.Output // for each gradient: the sum of its magnitudes
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
				trained, values = append(trained, v), append(values, v.Value)
			}
		}
		for _, gradient := range op.Gradients(s, losses, values) {
			each := s.SubScope("size")
			flat := op.Reshape(each, op.Abs(each, gradient), op.Const(each.SubScope("flat"), []int32{-1}))
			sizes = append(sizes, op.Sum(each, flat, op.Const(each.SubScope("axis"), int32(0))))
		}
	})
	for i, size := range m.run(t, 0, batch(t, 2, g.Input), sizes) {
		v, magnitude := trained[i], float64(size[0])
		// A bias before batch normalisation has no effect: its gradient is zero
		// except for rounding.
		normalised := len(m.Updates) > 0 && strings.HasSuffix(v.Name, "/bias") && len(v.Shape) == 1 && v.Name != "fc/bias"
		if math.IsNaN(magnitude) || math.IsInf(magnitude, 0) || magnitude == 0 && !normalised {
			t.Errorf("gradient of %s: sum of magnitudes %v", v.Name, magnitude)
		}
	}
}

// TestDropout checks fc6, which no other random layer precedes.
func TestDropout(t *testing.T) {
	g := build(t, "alexnet-onetower", 3, [3]int{63, 63, 3})
	weights, err := builder.Initial(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	images := batch(t, 2, g.Input)
	fc6 := func(m *model, step int64) []float32 {
		return m.run(t, step, images, []tf.Output{m.Endpoints["fc6"]})[0]
	}
	whole := fc6(start(t, g, false, weights), 0)
	m, resumed := start(t, g, true, weights), start(t, g, true, weights)
	third := fc6(m, 3)
	if !slices.Equal(third, fc6(resumed, 3)) {
		t.Error("another process would draw another mask at the same step")
	}
	if slices.Equal(third, fc6(m, 4)) {
		t.Error("two steps have the same mask")
	}
	var dropped, alive int
	for i, kept := range third {
		switch {
		case whole[i] == 0:
			continue
		case kept == 0:
			dropped++
		case math.Abs(float64(kept-2*whole[i])) > 1e-4*float64(whole[i]):
			t.Fatalf("kept %v of %v, want its double", kept, whole[i])
		}
		alive++
	}
	if share := float64(dropped) / float64(alive); math.Abs(share-.5) > .03 {
		t.Errorf("dropped %v of %d values, want half", share, alive)
	}
}
