package builder_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"tkit/architectures/builder"
	"tkit/internal/needs"
	"tkit/internal/network"
)

func initial(t *testing.T, name string, input [3]int, seed uint64) map[string][]float32 {
	t.Helper()
	weights, err := builder.Initial(build(t, name, 10, input), seed)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(weights, func(a, b *network.Weight) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("weights of %s are not sorted", name)
	}
	values := make(map[string][]float32, len(weights))
	for _, w := range weights {
		values[w.Name] = floats(w.Data)
	}
	return values
}

func TestInitialDependsOnSeedAndNameAlone(t *testing.T) {
	input := [3]int{32, 32, 3}
	a, again := initial(t, "resnet20-cifar", input, 1), initial(t, "resnet20-cifar", input, 1)
	deeper, other := initial(t, "resnet32-cifar", input, 1), initial(t, "resnet20-cifar", input, 2)
	for name, values := range a {
		if !slices.Equal(values, again[name]) {
			t.Errorf("%s differs between two calls", name)
		}
		if !slices.Equal(values, deeper[name]) {
			t.Errorf("%s changes when other layers are added", name)
		}
		if strings.HasSuffix(name, "/kernel") && slices.Equal(values, other[name]) {
			t.Errorf("%s does not depend on the seed", name)
		}
	}
	if slices.Equal(a["conv2/block1/conv1/kernel"], a["conv2/block1/conv2/kernel"]) {
		t.Error("two kernels of one shape have the same values")
	}
}

func TestInitialDistributions(t *testing.T) {
	needs.Minutes(t)
	paper, small := [3]int{32, 32, 1}, [3]int{32, 32, 3}
	for _, c := range []struct {
		architecture string
		input        [3]int
		variable     string
		mean         float64
		deviation    float64
		limit        float64 // 0: none
	}{
		{"resnet20-cifar", small, "conv4/block2/conv1/kernel", 0, math.Sqrt(2. / (9 * 64)), 0},
		{"resnet20-cifar", small, "conv1/bn/gamma", 1, 0, 1},
		{"resnet20-cifar", small, "conv1/bn/beta", 0, 0, 0},
		{"resnet20-cifar", small, "conv1/bn/moving_mean", 0, 0, 0},
		{"resnet20-cifar", small, "conv1/bn/moving_variance", 1, 0, 1},
		{"vgg11", small, "conv5/conv1/kernel", 0, math.Sqrt(6./(9*1024)) / math.Sqrt(3), math.Sqrt(6. / (9 * 1024))},
		{"lenet5-paper", paper, "C5/kernel", 0, 2.4 / 400 / math.Sqrt(3), 2.4 / 400},
		{"alexnet-onetower", [3]int{63, 63, 3}, "conv3/kernel", 0, .01, 0},
		{"alexnet-onetower", [3]int{63, 63, 3}, "conv2/bias", 1, 0, 1},
		{"alexnet-onetower", [3]int{63, 63, 3}, "fc8/bias", 0, 0, 0},
	} {
		values, ok := initial(t, c.architecture, c.input, 5)[c.variable]
		if !ok {
			t.Errorf("%s has no variable %s", c.architecture, c.variable)
			continue
		}
		var sum, squares, most float64
		for _, v := range values {
			sum += float64(v)
			most = math.Max(most, math.Abs(float64(v)))
		}
		mean := sum / float64(len(values))
		for _, v := range values {
			squares += (float64(v) - mean) * (float64(v) - mean)
		}
		deviation := math.Sqrt(squares / float64(len(values)))
		if math.Abs(mean-c.mean) > .05*c.deviation+1e-7 || math.Abs(deviation-c.deviation) > .02*c.deviation {
			t.Errorf("%s of %s: mean %g and deviation %g, want %g and %g", c.variable, c.architecture, mean, deviation, c.mean, c.deviation)
		}
		if c.limit > 0 && most > c.limit*(1+1e-6) {
			t.Errorf("%s of %s: a value of magnitude %g, want at most %g", c.variable, c.architecture, most, c.limit)
		}
	}
}
