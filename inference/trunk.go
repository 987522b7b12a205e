package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"tkit/internal/independence"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// A Trunk is the loaded frozen part of a network up to its cut, with the batcher
// that requests share. A [Stream], which processes many images in order, bypasses
// the batcher. Safe for concurrent use; Close ends it.
type Trunk struct {
	loaded    *network.Loaded
	digest    string
	precision Precision
	batcher   *Batcher
	most      int // rows in a batch of the batcher

	mu sync.Mutex
	// bottlenecks has, for each shape of image that was warmed up, the shape
	// of its bottleneck.
	bottlenecks map[[3]int][]int64
}

// TrunkOptions configure how a trunk computes. The zero value is FP32 on all
// cores.
type TrunkOptions struct {
	Precision Precision
	Session   tensorflow.Config // with the device
	Limits    Limits            // of the batcher; zero: DefaultLimits
	Metrics   *Metrics          // nil discards them
}

// OpenTrunk loads a network file that has one float32 input, images of [N,
// height, width, channels], and one output, their bottlenecks. A network in
// which the bottleneck of an image depends on other images is refused with an
// error that wraps [independence.ErrMixes]. [Guard] decides whether a version
// may be served in another precision than FP32.
func OpenTrunk(path string, o TrunkOptions) (*Trunk, error) {
	n, err := network.Open(path)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	if o.Precision == "" {
		o.Precision = FP32
	}
	t := &Trunk{precision: o.Precision, bottlenecks: map[[3]int][]int64{}}
	if err := t.open(n, o.Session); err != nil {
		if t.loaded != nil {
			err = errors.Join(err, t.loaded.Close())
		}
		return nil, fmt.Errorf("trunk %s: %w", path, err)
	}
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	t.most = o.Limits.MaxBatch
	t.batcher = newBatcher(t.pass, o.Limits, o.Metrics, t.digest)
	return t, nil
}

// open loads the network and checks that the result for an image does not
// depend on other images.
func (t *Trunk) open(n *network.Network, c tensorflow.Config) error {
	if err := errors.Join(only(n.Inputs, "input"), only(n.Outputs, "output")); err != nil {
		return err
	}
	// The digest is that of the file, whatever the precision. It takes half as long
	// as loading, and the analysis of the graph a tenth, so they run concurrently.
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
	err := t.load(n, c)
	// A trunk that was made before bases were checked may mix images. If the
	// analysis of its graph is conclusive, no trial is needed.
	if err = errors.Join(err, side.Wait()); err == nil && !proved {
		err = t.Try(context.Background())
	}
	return err
}

func (t *Trunk) load(n *network.Network, c tensorflow.Config) error {
	computed, err := t.precision.of(n)
	if err != nil {
		return err
	}
	if computed != n {
		defer computed.Close()
	}
	t.loaded, err = computed.Load(c)
	return err
}

// Try compares the trunk's answers for images in different batches; see
// [independence.Try].
func (t *Trunk) Try(ctx context.Context) error {
	return independence.Try(ctx, t.loaded, t.precision.tolerance())
}

// only refuses anything but one tensor of float32.
func only(infos []network.TensorInfo, kind string) error {
	if len(infos) != 1 || infos[0].DataType != tensorflow.Float32 {
		return fmt.Errorf("it has the %ss %v; want one of float32", kind, infos)
	}
	return nil
}

// Digest is the digest of the network file, "sha256:" and hexadecimal.
func (t *Trunk) Digest() string { return t.digest }

// Precision is the precision in which the trunk computes.
func (t *Trunk) Precision() Precision { return t.precision }

// Input is the shape of a batch of images and Output that of their bottlenecks,
// -1 for any size.
func (t *Trunk) Input() []int64 { return slices.Clone(t.loaded.Inputs[0].Shape) }

// Output is the shape of a batch of bottlenecks; see Input.
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

// warmUp runs the trunk once with each batch size that the batcher may use for
// images of a shape, unless that was done before, so that no request waits for
// the initialisation. It returns the shape of a bottleneck.
func (t *Trunk) warmUp(ctx context.Context, shape [3]int) ([]int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b, ok := t.bottlenecks[shape]; ok {
		return b, nil
	}
	var bottleneck []int64
	for n := 1; n <= t.most; n++ {
		var err error
		if bottleneck, err = t.batcher.WarmUp(ctx, shape, n); err != nil {
			return nil, fmt.Errorf("warm up the trunk with %d images of %v: %w", n, shape, err)
		}
	}
	t.bottlenecks[shape] = bottleneck
	return bottleneck, nil
}

// pass is the batcher's [Pass].
func (t *Trunk) pass(shape [3]int, rows [][]float32) (Bottlenecks, error) {
	return t.RunRows(context.Background(), shape, rows)
}

// Close ends the batcher, waits for the runs in progress, and frees the trunk.
func (t *Trunk) Close() error {
	t.batcher.Close()
	return t.loaded.Close()
}
