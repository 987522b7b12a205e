package serve

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
func (h *head) run(ctx context.Context, shape []int64, bottlenecks [][]float32) ([]Output, error) {
	in, err := stack(shape, bottlenecks)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	// It takes less than leaving it before its end would.
	tensors, err := h.network.Run(context.WithoutCancel(ctx), in)
	if err != nil {
		return nil, err
	}
	outputs := make([]Output, len(tensors))
	for i, t := range tensors {
		outputs[i] = Output{h.network.Outputs[i].Name, t.Shape(), slices.Clone(t.Float32())}
		t.Close()
	}
	return outputs, nil
}

func (h *head) Close() error { return h.network.Close() }

// stack gathers rows of one shape into a tensor; the caller closes it.
func stack(shape []int64, rows [][]float32) (*tensorflow.Tensor, error) {
	t, err := tensorflow.NewTensor(tensorflow.Float32, append([]int64{int64(len(rows))}, shape...)...)
	if err != nil {
		return nil, err
	}
	flat := t.Float32()
	width := len(flat) / len(rows)
	for i, row := range rows {
		if len(row) != width {
			t.Close()
			return nil, fmt.Errorf("row %d has %d elements; shape %v has %d", i, len(row), shape, width)
		}
		copy(flat[i*width:], row)
	}
	return t, nil
}

// unstack splits the values of n rows; the rows are views.
func unstack(values []float32, n int) [][]float32 {
	rows, width := make([][]float32, n), len(values)/n
	for i := range rows {
		rows[i] = values[i*width : (i+1)*width : (i+1)*width]
	}
	return rows
}
