package builder_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	tf "github.com/wamuir/graft/tensorflow"

	"tkit/architectures"
	"tkit/architectures/builder"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

func TestNetworkAnswersAsTheGraph(t *testing.T) {
	g := build(t, "resnet20-cifar", 7, [3]int{32, 32, 3})
	weights := lively(g)
	n, err := builder.Network(g, weights)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := n.Load(tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	dims, values := noise(2, g.Input)
	images, err := tensorflow.FromFloat32(dims, values)
	if err != nil {
		t.Fatal(err)
	}
	defer images.Close()
	answers, err := loaded.Run(t.Context(), images)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		defer a.Close()
	}
	m := start(t, g, false, weights)
	want := m.run(t, 0, tensor(t, dims, encode(values)), []tf.Output{m.Logits})[0]
	probabilities, logits := answers[0].Float32(), answers[1].Float32()
	if d := difference(logits, want); !(d <= 1e-5*largest(want)) {
		t.Errorf("logits differ by %g from the graph's", d)
	}
	for i := range 2 {
		var sum float64
		for j, p := range probabilities[7*i : 7*i+7] {
			sum += float64(p)
			ratio := math.Exp(float64(logits[7*i+j] - logits[7*i]))
			if math.Abs(float64(p)-ratio*float64(probabilities[7*i])) > 1e-5 {
				t.Errorf("probability %g of class %d is not the softmax of the logits", p, j)
			}
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("probabilities add up to %g", sum)
		}
	}
}

func TestNetworkPorts(t *testing.T) {
	g := build(t, "lenet5", 7, [3]int{28, 20, 1})
	n, err := builder.Network(g, lively(g))
	if err != nil {
		t.Fatal(err)
	}
	images, err := n.Input("images")
	if err != nil || !slices.Equal(images.Shape, []int64{-1, 28, 20, 1}) {
		t.Errorf("input %+v, %v", images, err)
	}
	for _, name := range []string{"probabilities", "logits"} {
		out, err := n.Output(name)
		if err != nil || !slices.Equal(out.Shape, []int64{-1, 7}) {
			t.Errorf("output %+v, %v", out, err)
		}
	}
}

// TestNetworkCutsAtEndpoints cuts at the layer of each row of a table.
func TestNetworkCutsAtEndpoints(t *testing.T) {
	for _, c := range []struct {
		name  string
		input [3]int
	}{
		{"lenet5", [3]int{32, 32, 1}},
		{"lenet5-paper", [3]int{32, 32, 1}},
		{"googlenet-bn", [3]int{64, 64, 3}},
		{"inceptionv3", [3]int{107, 107, 3}},
		{"resnet18", [3]int{64, 64, 3}},
		{"resnet50v2", [3]int{64, 64, 3}},
		{"resnet20-cifar", [3]int{32, 32, 3}},
	} {
		g := build(t, c.name, 7, c.input)
		n, err := builder.Network(g, lively(g))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range g.Table() {
			trunk, _, err := n.Cut(e.Layer, "")
			if err != nil {
				t.Errorf("%s cut at %s: %v", c.name, e.Layer, err)
				continue
			}
			want := append([]int64{-1}, int64s(e.Output)...)
			if out := trunk.Outputs[0]; !slices.Equal(out.Shape, want) {
				t.Errorf("%s cut at %s gives %v, want %v", c.name, e.Layer, out.Shape, want)
			}
		}
	}
}

func int64s(shape architectures.Shape) []int64 {
	out := make([]int64, len(shape))
	for i, d := range shape {
		out[i] = int64(d)
	}
	return out
}

func TestNetworkTakesTheWeightsItNeeds(t *testing.T) {
	g := build(t, "googlenet-aux", 7, [3]int{96, 96, 3})
	all := lively(g)
	n, err := builder.Network(g, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range n.Weights {
		if strings.HasPrefix(w.Name, "aux") {
			t.Errorf("inference keeps %s", w.Name)
		}
	}
	without := slices.DeleteFunc(slices.Clone(all), func(w *network.Weight) bool { return w.Name == "3a/5x5/bias" })
	reshaped := slices.Clone(all)
	for i, w := range reshaped {
		if w.Name == "3a/5x5/bias" {
			c := *w
			c.Shape = []int64{16, 2}
			reshaped[i] = &c
		}
	}
	for wrong, weights := range map[string][]*network.Weight{"missing": without, "reshaped": reshaped} {
		if _, err := builder.Network(g, weights); err == nil || !strings.Contains(err.Error(), "3a/5x5/bias") {
			t.Errorf("a weight is %s: error %v, want one that names it", wrong, err)
		}
	}
}
