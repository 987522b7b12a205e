package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// probabilities is the name of the output that classification reads.
const probabilities = "probabilities"

// A Head is the trained part of a network after its cut, loaded, with all outputs
// of the version's signature. Safe for concurrent use; Close ends it.
type Head struct {
	loaded *network.Loaded
	answer int // the index of the probabilities among the outputs
}

// OpenHead loads a network file with one float32 input, bottlenecks [N, …], and
// float32 outputs, "probabilities" [N, classes] among them. It runs on the CPU,
// in the goroutines of its callers, because a head is small.
func OpenHead(path string) (_ *Head, err error) {
	n, err := network.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	h := &Head{}
	if err := h.open(n); err != nil {
		return nil, fmt.Errorf("head %s: %w", path, err)
	}
	return h, nil
}

func (h *Head) open(n *network.Network) (err error) {
	if err := only(n.Inputs, "input"); err != nil {
		return err
	}
	if i := slices.IndexFunc(n.Outputs, func(p network.TensorInfo) bool { return p.DataType != tensorflow.Float32 }); i >= 0 {
		return fmt.Errorf("output %q is %v; want float32", n.Outputs[i].Name, n.Outputs[i].DataType)
	}
	h.answer = slices.IndexFunc(n.Outputs, func(p network.TensorInfo) bool { return p.Name == probabilities })
	if h.answer < 0 {
		return fmt.Errorf("its outputs are %v; want %q among them", n.Outputs, probabilities)
	}
	h.loaded, err = n.Load(tensorflow.Config{Device: tensorflow.CPU, RunInCaller: true})
	return err
}

// Input is the shape of a batch of bottlenecks, -1 for any size.
func (h *Head) Input() []int64 { return slices.Clone(h.loaded.Inputs[0].Shape) }

// Output is the shape of their probabilities.
func (h *Head) Output() []int64 { return slices.Clone(h.loaded.Outputs[h.answer].Shape) }

// Outputs are the names of the head's outputs.
func (h *Head) Outputs() []string {
	var names []string
	for _, p := range h.loaded.Outputs {
		names = append(names, p.Name)
	}
	return names
}

// Run computes the probabilities [N, classes] of a batch of bottlenecks. The
// caller closes both tensors.
func (h *Head) Run(ctx context.Context, bottlenecks *tensorflow.Tensor) (*tensorflow.Tensor, error) {
	out, err := h.loaded.Run(ctx, bottlenecks)
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	for i, t := range out {
		if i != h.answer {
			t.Close()
		}
	}
	return out[h.answer], nil
}

// RunRows computes all outputs of bottlenecks of a shape.
func (h *Head) RunRows(ctx context.Context, shape []int64, bottlenecks [][]float32) ([]Tensor, error) {
	in, err := tensorflow.FromRows(shape, bottlenecks)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	// A run is shorter than an interruption of it would be.
	tensors, err := h.loaded.Run(context.WithoutCancel(ctx), in)
	if err != nil {
		return nil, err
	}
	outputs := make([]Tensor, len(tensors))
	for i, t := range tensors {
		outputs[i] = Float32Tensor(h.loaded.Outputs[i].Name, t.Shape(), slices.Clone(t.Float32()))
		t.Close()
	}
	return outputs, nil
}

// Close waits for the runs in progress.
func (h *Head) Close() error { return h.loaded.Close() }
