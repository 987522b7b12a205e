package builder_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	tf "github.com/wamuir/graft/tensorflow"

	"tkit/architectures"
	"tkit/internal/needs"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// The largest differences from Keras's outputs, relative to the largest of
// them. Batch statistics amplify rounding: each layer divides by the deviation
// of a small batch.
const (
	tolerance         = 1e-4
	trainingTolerance = 1e-3
)

// TestAgreesWithKeras compares every family with the same network built in
// Keras, from the paper's table or by keras.applications, with the same
// weights.
func TestAgreesWithKeras(t *testing.T) {
	keras := startKeras(t)
	for _, c := range []struct {
		name     string
		input    [3]int
		training bool
	}{
		{name: "lenet5", input: [3]int{32, 32, 1}},
		{name: "lenet5-paper", input: [3]int{32, 32, 1}},
		{name: "alexnet", input: [3]int{115, 99, 3}},
		{name: "alexnet-onetower", input: [3]int{96, 96, 3}},
		{name: "zfnet", input: [3]int{96, 112, 3}},
		{name: "vgg16", input: [3]int{32, 32, 3}},
		{name: "googlenet", input: [3]int{64, 80, 3}},
		{name: "googlenet-aux", input: [3]int{96, 96, 3}, training: true},
		{name: "googlenet-bn", input: [3]int{64, 64, 3}},
		{name: "googlenet-torchvision", input: [3]int{64, 64, 3}},
		{name: "inceptionv3", input: [3]int{107, 91, 3}},
		{name: "inceptionv3-torchvision", input: [3]int{299, 299, 3}, training: true},
		{name: "resnet18", input: [3]int{64, 64, 3}},
		{name: "resnet50", input: [3]int{64, 48, 3}},
		{name: "resnet50v1.5", input: [3]int{64, 48, 3}},
		{name: "resnet50-keras", input: [3]int{64, 64, 3}},
		{name: "resnet18v2", input: [3]int{64, 64, 3}},
		{name: "resnet50v2", input: [3]int{64, 64, 3}},
		{name: "resnet50v2-keras", input: [3]int{64, 64, 3}},
		{name: "resnet20-cifar", input: [3]int{32, 32, 3}},
		{name: "efficientnet-lite0", input: [3]int{64, 80, 3}},
		{name: "efficientnet-lite4", input: [3]int{65, 64, 3}},
		{name: "resnet20-cifar", input: [3]int{28, 20, 1}, training: true},
	} {
		name := c.name
		if c.training {
			name += " training"
		}
		t.Run(name, func(t *testing.T) {
			g := build(t, c.name, 7, c.input)
			for i := range g.Layers { // the two sides draw dropout differently
				if _, ok := g.Layers[i].Op.(architectures.Dropout); ok {
					g.Layers[i].Op = architectures.Dropout{}
				}
			}
			weights := lively(g)
			want := keras.answer(t, c.name, g, weights, c.training)
			m := start(t, g, c.training, weights)
			dims, values := noise(2, g.Input)
			got := m.run(t, 0, tensor(t, dims, encode(values)), append([]tf.Output{m.Logits}, m.Auxiliary...), m.Updates...)
			got = append(got, m.statistics(t, c.training)...)
			allowed := tolerance
			if c.training {
				allowed = trainingTolerance
			}
			rest := slices.Concat(got[1:]...)
			if len(want) != len(got[0])+len(rest) {
				t.Fatalf("Keras has %d values, want %d", len(want), len(got[0])+len(rest))
			}
			compare(t, "logits", got[0], want[:len(got[0])], allowed)
			compare(t, "auxiliary logits and running statistics", rest, want[len(got[0]):], allowed)
			if first, second := got[0][:7], got[0][7:]; difference(first, second) < 100*tolerance*largest(got[0]) {
				t.Errorf("the logits hardly depend on the image, so the test is meaningless: %v, %v", first, second)
			}
		})
	}
}

// statistics returns the current running statistics, sorted by name.
func (m *model) statistics(t *testing.T, training bool) [][]float32 {
	if !training {
		return nil
	}
	values := map[string]tf.Output{}
	var names []string
	for _, v := range m.Variables {
		if !v.Trainable {
			names, values[v.Name] = append(names, v.Name), v.Value
		}
	}
	slices.Sort(names)
	fetches := make([]tf.Output, len(names))
	for i, name := range names {
		fetches[i] = values[name]
	}
	if len(fetches) == 0 {
		return nil
	}
	out, err := m.session.Run(nil, fetches, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := make([][]float32, len(out))
	for i, each := range out {
		all[i] = each.Value().([]float32)
	}
	return all
}

func compare(t *testing.T, what string, got, want []float32, allowed float64) {
	t.Helper()
	if d, scale := difference(got, want), largest(want); !(d <= allowed*scale) {
		t.Errorf("%s differ from Keras by %g where the largest is %g", what, d, scale)
	}
}

func difference(a, b []float32) (most float64) {
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		if most = math.Max(most, d); math.IsNaN(d) {
			return math.NaN()
		}
	}
	return most
}

func largest(a []float32) (most float64) {
	for _, v := range a {
		most = math.Max(most, math.Abs(float64(v)))
	}
	return most
}

// lively returns weights with which every part of a network affects its logits:
// kernels that preserve the signal's size, and biases and running statistics
// with non-trivial values.
func lively(g *architectures.Graph) []*network.Weight {
	random := rand.New(rand.NewPCG(17, 19))
	around := func(centre, spread float64) func() float64 {
		return func() float64 { return centre + spread*(2*random.Float64()-1) }
	}
	var weights []*network.Weight
	for _, v := range g.Variables() {
		draw := func() float64 { return math.Sqrt(2/v.Init.FanIn) * random.NormFloat64() }
		switch v.Name[strings.LastIndex(v.Name, "/")+1:] {
		case "gamma", "moving_variance":
			draw = around(1, .3)
		case "beta", "bias", "moving_mean":
			draw = around(0, .2)
		}
		values := make([]float32, v.Elements())
		for i := range values {
			values[i] = float32(draw())
		}
		weights = append(weights, &network.Weight{Name: v.Name, DataType: tensorflow.Float32, Shape: int64s(v.Shape),
			Data: encode(values), Trainable: v.Trainable})
	}
	return weights
}

// kerasProcess handles several cases in one process: loading TensorFlow takes
// longer than any of them.
type kerasProcess struct {
	in  io.Writer
	out *bufio.Scanner
}

func startKeras(t *testing.T) *kerasProcess {
	t.Helper()
	python := needs.Python(t)
	cmd := exec.Command(python, filepath.Join("testdata", "keras", "answer.py"))
	cmd.Env = append(os.Environ(), "KERAS_BACKEND=tensorflow", "TF_CPP_MIN_LOG_LEVEL=3", "PYTHONDONTWRITEBYTECODE=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // ends it
		if err := cmd.Wait(); err != nil && !t.Failed() {
			t.Errorf("Keras: %v\n%s", err, stderr.String())
		} else if t.Failed() {
			t.Log(stderr.String())
		}
	})
	return &kerasProcess{in: in, out: bufio.NewScanner(out)}
}

// answer runs the network in Keras on the batch of noise.
func (k *kerasProcess) answer(t *testing.T, name string, g *architectures.Graph, weights []*network.Weight, training bool) []float32 {
	t.Helper()
	folder := t.TempDir()
	type entry struct {
		Name  string  `json:"name"`
		Shape []int64 `json:"shape"`
	}
	var index []entry
	raw, err := os.Create(filepath.Join(folder, "weights.bin"))
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, shape []int64, data []byte) {
		index = append(index, entry{name, shape})
		if _, err := raw.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range weights {
		put(w.Name, w.Shape, w.Data)
	}
	for _, l := range g.Layers {
		if r, ok := l.Op.(architectures.RBF); ok {
			put(l.Name+"/centres", []int64{int64(len(r.Centres)), int64(len(r.Centres[0]))}, encode(slices.Concat(r.Centres...)))
		}
	}
	_, images := noise(2, g.Input)
	err = raw.Close()
	for file, data := range map[string][]byte{"weights.json": asJSON(t, index), "images.bin": encode(images)} {
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, file), data, 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	question := asJSON(t, map[string]any{"folder": folder, "network": name, "input": g.Input, "classes": 7, "training": training})
	if _, err := fmt.Fprintf(k.in, "%s\n", question); err != nil {
		t.Fatalf("asking Keras: %v", err)
	}
	if !k.out.Scan() || k.out.Text() != "ok" {
		t.Fatalf("no answer from Keras: %q", k.out.Text())
	}
	answers, err := os.ReadFile(filepath.Join(folder, "answers.bin"))
	if err != nil {
		t.Fatal(err)
	}
	return floats(answers)
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
