package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// A head is a loaded head with all its outputs: those of the signature that
// TensorFlow Serving's clients see, not the probabilities alone.
type head struct {
	network *network.Loaded
}

// openHead loads a head.
func openHead(path string) (_ *head, err error) {
	n, err := network.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	if len(n.Inputs) != 1 || n.Inputs[0].DataType != tensorflow.Float32 {
		return nil, fmt.Errorf("%s has the inputs %v; want one of float32", path, n.Inputs)
	}
	if i := slices.IndexFunc(n.Outputs, func(p network.Port) bool { return p.DataType != tensorflow.Float32 }); i >= 0 {
		return nil, fmt.Errorf("%s gives %q as %v; want float32", path, n.Outputs[i].Name, n.Outputs[i].DataType)
	}
	// A head is small: it runs on the goroutine of its request.
	loaded, err := n.Load(tensorflow.Config{RunInCaller: true})
	if err != nil {
		return nil, err
	}
	return &head{loaded}, nil
}

// outputs are the names of what the head gives.
func (h *head) outputs() []string {
	var names []string
	for _, p := range h.network.Outputs {
		names = append(names, p.Name)
	}
	return names
}

// run computes the outputs for bottlenecks of a shape.
func (h *head) run(ctx context.Context, shape []int64, bottlenecks [][]float32) ([]Tensor, error) {
	in, err := tensorflow.FromRows(shape, bottlenecks)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	// It takes less than leaving it before its end would.
	tensors, err := h.network.Run(context.WithoutCancel(ctx), in)
	if err != nil {
		return nil, err
	}
	outputs := make([]Tensor, len(tensors))
	for i, t := range tensors {
		outputs[i] = Float32Tensor(h.network.Outputs[i].Name, t.Shape(), slices.Clone(t.Float32()))
		t.Close()
	}
	return outputs, nil
}

func (h *head) Close() error { return h.network.Close() }
