package inference

import (
	"context"
	"fmt"
	"sync"

	"tkit/internal/independence"
)

// A trunk is a loaded trunk with the batcher before it. Servables share it.
type trunk struct {
	network *Trunk
	batcher *Batcher
	most    int // rows in a batch

	mu sync.Mutex
	// bottlenecks has, for each shape of image that was warmed up, the shape
	// of its bottleneck.
	bottlenecks map[[3]int][]int64
}

// openTrunk loads a trunk.
func openTrunk(path string, p Precision, o LoaderOptions) (*trunk, error) {
	n, err := OpenTrunkIn(p, path, o.Trunk)
	if err != nil {
		return nil, independence.Retrain(err)
	}
	t := &trunk{network: n, most: o.Limits.MaxBatch, bottlenecks: map[[3]int][]int64{}}
	t.batcher = NewBatcher(t.pass, o.Limits, o.Metrics, n.Digest())
	return t, nil
}

// warmUp runs the trunk once at each size of batch that the batcher may make
// of images of a shape, unless that was done before, so that no request pays
// for a first time. It returns the shape of a bottleneck.
func (t *trunk) warmUp(ctx context.Context, shape [3]int) ([]int64, error) {
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

// pass is the batcher's Pass. It ends when it is done: see there.
func (t *trunk) pass(shape [3]int, rows [][]float32) (Bottlenecks, error) {
	return t.network.RunRows(context.Background(), shape, rows)
}

// Close ends the batcher and frees the trunk.
func (t *trunk) Close() error {
	t.batcher.Close()
	return t.network.Close()
}
