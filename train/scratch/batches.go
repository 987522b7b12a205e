package scratch

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"

	"golang.org/x/sync/errgroup"

	"tkit/internal/tensorflow"
)

// Images are labelled images, decoded and preprocessed.
type Images interface {
	// Len returns the number of images.
	Len() int
	// Label returns the class of image i.
	Label(i int) int
	// Image writes image i to dst, height × width × channels values. It is
	// called concurrently.
	Image(ctx context.Context, i int, dst []float32) error
}

// stepsPerEpoch returns the number of batches in one pass over n images.
func stepsPerEpoch(n, batchSize int) int { return (n + batchSize - 1) / batchSize }

// indices returns the images of a step: each epoch has its own order, drawn
// from the seed and the epoch, divided into batches whose sizes differ by at
// most one, so that no batch is too small for batch statistics.
func indices(n, batchSize, step int, seed uint64) []int {
	perEpoch := stepsPerEpoch(n, batchSize)
	epoch, at := step/perEpoch, step%perEpoch
	order := generator(seed, "order", uint64(epoch)).Perm(n)
	return order[n*at/perEpoch : n*(at+1)/perEpoch]
}

// generator returns a separate random stream for each purpose and numbers.
func generator(seed uint64, purpose string, numbers ...uint64) *rand.Rand {
	key := binary.LittleEndian.AppendUint64(nil, seed)
	for _, n := range numbers {
		key = binary.LittleEndian.AppendUint64(key, n)
	}
	return rand.New(rand.NewChaCha8(sha256.Sum256(append(key, purpose...))))
}

// A batch is the input of one step.
type batch struct {
	step           int
	images, labels *tensorflow.Tensor
	size           int
}

func (b *batch) close() {
	b.images.Close()
	b.labels.Close()
}

// loader makes batches: it has the shape of the images, the classes and the
// label smoothing.
type loader struct {
	images                  Images
	height, width, channels int
	classes                 int
	smoothing               float64
	augment                 Augment
	seed                    uint64
	augmenting              bool
}

// load makes the batch of the given images.
func (l *loader) load(ctx context.Context, step int, indices []int) (*batch, error) {
	n := int64(len(indices))
	images, err := tensorflow.NewTensor(tensorflow.Float32, n, int64(l.height), int64(l.width), int64(l.channels))
	if err != nil {
		return nil, err
	}
	labels, err := tensorflow.NewTensor(tensorflow.Float32, n, int64(l.classes))
	if err != nil {
		images.Close()
		return nil, err
	}
	b := &batch{step: step, images: images, labels: labels, size: len(indices)}
	if err := l.fill(ctx, b, indices); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (l *loader) fill(ctx context.Context, b *batch, indices []int) error {
	values, labels := b.images.Float32(), b.labels.Float32()
	size := l.height * l.width * l.channels
	off := float32(l.smoothing / float64(l.classes))
	for k := range labels {
		labels[k] = off
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.NumCPU())
	for k, i := range indices {
		label := l.images.Label(i)
		if label < 0 || label >= l.classes {
			return fmt.Errorf("image %d has class %d of %d", i, label, l.classes)
		}
		labels[k*l.classes+label] += float32(1 - l.smoothing)
		g.Go(func() error {
			dst := values[k*size:][:size]
			if !l.augmenting || l.augment == (Augment{}) {
				return l.images.Image(ctx, i, dst)
			}
			src := make([]float32, size)
			if err := l.images.Image(ctx, i, src); err != nil {
				return err
			}
			random := generator(l.seed, "augment", uint64(b.step), uint64(i))
			l.augment.Apply(dst, src, [3]int{l.height, l.width, l.channels}, random)
			return nil
		})
	}
	return g.Wait()
}

// ahead is the number of batches loaded in advance.
const ahead = 2

// stream loads the batches of the steps in order, in advance. The receiver
// closes the batches; if the channel is closed early, wait returns the reason.
func (l *loader) stream(ctx context.Context, from, to, batchSize int) (batches <-chan *batch, wait func() error) {
	out := make(chan *batch, ahead)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(out)
		for step := from; step < to; step++ {
			b, err := l.load(ctx, step, indices(l.images.Len(), batchSize, step, l.seed))
			if err != nil {
				return err
			}
			select {
			case out <- b:
			case <-ctx.Done():
				b.close()
				return ctx.Err()
			}
		}
		return nil
	})
	return out, g.Wait
}
