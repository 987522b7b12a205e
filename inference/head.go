package inference

import (
	"context"
	"fmt"
	"slices"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// Head is what stands after the cut, loaded and ready. Safe for concurrent use;
// Close ends it.
type Head struct{ loaded *network.Loaded }

// OpenHead loads a network file with one float32 input, bottlenecks [N, …], and
// an output "probabilities" [N, classes].
func OpenHead(path string, c tensorflow.Config) (*Head, error) {
	n, err := network.Open(path)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	h, err := loadHead(n, c)
	if err != nil {
		return nil, fmt.Errorf("head %s: %w", path, err)
	}
	return h, nil
}

func loadHead(n *network.Network, c tensorflow.Config) (*Head, error) {
	if err := only(n.Inputs, "input"); err != nil {
		return nil, err
	}
	answers, err := n.Prune("probabilities")
	if err != nil {
		return nil, err
	}
	defer answers.Close()
	if err := only(answers.Outputs, "output"); err != nil {
		return nil, err
	}
	loaded, err := answers.Load(c)
	if err != nil {
		return nil, err
	}
	return &Head{loaded}, nil
}

// Input is the shape of a batch of bottlenecks, -1 where any size will do.
func (h *Head) Input() []int64 { return slices.Clone(h.loaded.Inputs[0].Shape) }

// Output is the shape of their probabilities.
func (h *Head) Output() []int64 { return slices.Clone(h.loaded.Outputs[0].Shape) }

// Run computes the probabilities [N, classes] of a batch of bottlenecks. The
// caller closes both tensors.
func (h *Head) Run(ctx context.Context, bottlenecks *tensorflow.Tensor) (*tensorflow.Tensor, error) {
	out, err := h.loaded.Run(ctx, bottlenecks)
	if err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	return out[0], nil
}

// Close waits for the runs under way.
func (h *Head) Close() error { return h.loaded.Close() }
