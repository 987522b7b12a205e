package head

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tkit/inference"
	"tkit/internal/evaluation"
	"tkit/internal/tensorflow"
)

// A head predicts the same when training evaluates it and when inference serves its
// network.
func TestServedHead(t *testing.T) {
	for _, c := range []struct {
		classes, dim int
		temperature  float64 // 0: the fitted one
		options      Options
	}{
		{classes: 2, dim: 5},
		{classes: 3, dim: 8, temperature: 1},
		{classes: 3, dim: 8, temperature: 0.4, options: Options{Balanced: true}},
		{classes: 12, dim: 40, temperature: 1.7},
		{classes: 12, dim: 4, temperature: 25, options: Options{Penalties: []float64{1e-4}}},
	} {
		t.Run(fmt.Sprintf("%d classes, temperature %g", c.classes, c.temperature), func(t *testing.T) {
			learn, labels := blobs(20*c.classes, c.dim, c.classes, 1)
			judge, _ := blobs(10*c.classes, c.dim, c.classes, 2)
			m := train(t, learn, Set{}, labels, c.options).Model
			if c.temperature != 0 {
				m.Temperature = c.temperature
			}
			checkServed(t, m, judge, labels)
		})
	}
}

// The standardisation is folded into the network: bottlenecks of another scale and
// origin give the same probabilities.
func TestServedStandardisation(t *testing.T) {
	learn, labels := blobs(60, 6, 3, 1)
	before := served(t, train(t, learn, Set{}, labels, Options{}).Model, learn)
	for i := range learn.Len() {
		for j, v := range learn.Row(i) {
			learn.Row(i)[j] = 64*v + float32(100*j)
		}
	}
	m := train(t, learn, Set{}, labels, Options{}).Model
	checkServed(t, m, learn, labels)
	after := served(t, m, learn)
	for i, p := range before[1].Float32() {
		near(t, "probability", float64(after[1].Float32()[i]), float64(p), 1e-3)
	}
}

// checkServed compares the logits and the evaluation of a model with the outputs of
// its served network.
func checkServed(t *testing.T, m *Model, s Set, labels []string) {
	t.Helper()
	raw, err := m.Logits(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	outputs := served(t, m, s)
	logits, probabilities := outputs[0].Float32(), outputs[1].Float32()
	right, loss := 0, 0.0
	for i, truth := range s.Labels {
		from, to := i*m.Classes, (i+1)*m.Classes
		row := slices.Clone(raw[from:to])
		for c := range row {
			row[c] = float32(float64(row[c]) / m.Temperature)
			near(t, "logit", float64(logits[from+c]), float64(row[c]), 1e-3/m.Temperature)
		}
		for c, p := range softmax(row) {
			near(t, "probability", float64(probabilities[from+c]), p, 1e-3/m.Temperature)
		}
		predicted := probabilities[from:to]
		if predicted[truth] == slices.Max(predicted) {
			right++
		}
		loss -= math.Log(float64(predicted[truth])) / float64(s.Len())
	}
	e, err := evaluation.Evaluate(evaluation.Predictions{Labels: labels, Truth: s.Labels, Logits: raw}, m.Temperature)
	if err != nil {
		t.Fatal(err)
	}
	if e.Accuracy.Successes != right {
		t.Errorf("evaluation: %d of %d are right; served: %d", e.Accuracy.Successes, s.Len(), right)
	}
	near(t, "loss", loss, e.Calibrated.NLL, 1e-3*max(1, e.Calibrated.NLL))
}

// served returns the logits and probabilities of a model's network, as inference
// computes them for rows and for a batch.
func served(t *testing.T, m *Model, s Set) []inference.Tensor {
	t.Helper()
	n, err := m.Network()
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := n.Encode(&file); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "head")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := inference.OpenHead(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	if got, want := h.Outputs(), []string{Logits, Probabilities}; !slices.Equal(got, want) {
		t.Fatalf("outputs %v, want %v", got, want)
	}
	var rows [][]float32
	for i := range s.Len() {
		rows = append(rows, s.Row(i))
	}
	outputs, err := h.RunRows(t.Context(), []int64{int64(s.Dim)}, rows)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := tensorflow.FromFloat32([]int64{int64(s.Len()), int64(s.Dim)}, s.Features)
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Close()
	probabilities, err := h.Run(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	defer probabilities.Close()
	if !slices.Equal(probabilities.Float32(), outputs[1].Float32()) {
		t.Error("a batch and its rows have different probabilities")
	}
	return outputs
}
