package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"tkit/internal/independence"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// Trunk is the frozen part of a network up to its cut, loaded and ready. Safe
// for concurrent use; Close ends it.
type Trunk struct {
	loaded    *network.Loaded
	digest    string
	precision Precision
}

// OpenTrunk loads a network file that has one float32 input, images of
// [N, height, width, channels], and one output, their bottlenecks. One whose
// bottlenecks are not an image's own is refused by an error that wraps
// [independence.ErrMixes].
func OpenTrunk(path string, c tensorflow.Config) (*Trunk, error) {
	return OpenTrunkIn(FP32, path, c)
}

// OpenTrunkIn loads a network file to compute in the given precision. Whether
// a version may be served in other than FP32 is [Guard]'s to say.
func OpenTrunkIn(p Precision, path string, c tensorflow.Config) (*Trunk, error) {
	n, err := network.Open(path)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	if err := only(n.Inputs, "input"); err != nil {
		return nil, fmt.Errorf("trunk %s: %w", path, err)
	}
	if err := only(n.Outputs, "output"); err != nil {
		return nil, fmt.Errorf("trunk %s: %w", path, err)
	}
	// The digest is of the file, whatever is computed in: it names what was
	// learnt. It takes as long as half the loading, and following the images
	// through the graph a tenth, so they go side by side.
	t := &Trunk{precision: p}
	var side errgroup.Group
	var proved bool
	side.Go(func() (err error) {
		t.digest, err = n.Digest()
		return err
	})
	side.Go(func() (err error) {
		proved, err = independence.Prove(n)
		return err
	})
	err = t.load(n, p, c)
	// A trunk that was made before bases were checked may mix images. What its
	// graph proves is not tried out.
	if err = errors.Join(err, side.Wait()); err == nil && !proved {
		err = t.Try(context.Background())
	}
	if err != nil {
		if t.loaded != nil {
			err = errors.Join(err, t.loaded.Close())
		}
		return nil, fmt.Errorf("trunk %s: %w", path, err)
	}
	return t, nil
}

func (t *Trunk) load(n *network.Network, p Precision, c tensorflow.Config) error {
	computed, err := p.of(n)
	if err != nil {
		return err
	}
	if computed != n {
		defer computed.Close()
	}
	t.loaded, err = computed.Load(c)
	return err
}

// Try asks the trunk about images in different batches; see [independence.Try].
func (t *Trunk) Try(ctx context.Context) error {
	return independence.Try(ctx, t.loaded, t.precision.tolerance())
}

// only says that there is one port, of float32.
func only(ports []network.Port, kind string) error {
	if len(ports) != 1 || ports[0].DataType != tensorflow.Float32 {
		return fmt.Errorf("it has the %ss %v, where one of float32 is wanted", kind, ports)
	}
	return nil
}

// Digest is the digest of the network file, "sha256:" and hexadecimal.
func (t *Trunk) Digest() string { return t.digest }

// Precision is what the trunk computes in.
func (t *Trunk) Precision() Precision { return t.precision }

// Input is the shape of a batch of images and Output that of their bottlenecks,
// -1 where any size will do.
func (t *Trunk) Input() []int64 { return slices.Clone(t.loaded.Inputs[0].Shape) }

// Output is described at Input.
func (t *Trunk) Output() []int64 { return slices.Clone(t.loaded.Outputs[0].Shape) }

// Run computes the bottlenecks of a batch of images, one a row in their order.
// The caller closes both tensors.
func (t *Trunk) Run(ctx context.Context, batch *tensorflow.Tensor) (*tensorflow.Tensor, error) {
	out, err := t.loaded.Run(ctx, batch)
	if err != nil {
		return nil, fmt.Errorf("trunk: %w", err)
	}
	return out[0], nil
}

// Close waits for the runs under way.
func (t *Trunk) Close() error { return t.loaded.Close() }
