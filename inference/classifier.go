package inference

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"tkit/internal/pipeline"
	"tkit/internal/tensorflow"
)

// Classifier answers for encoded images. It does not own its parts: whoever
// opened them closes them.
type Classifier struct {
	Pipeline *pipeline.Pipeline
	Trunk    *Trunk
	Head     *Head
	Labels   []string // in the order of the head's outputs
}

// Result is the answer of a Classifier for one image.
type Result struct {
	// Prediction is empty where Err is set.
	Prediction
	// Err is a *pipeline.ImageError where the image could not be used.
	Err error
}

// Classify answers for images in one batch. An image at fault has its own
// Result.Err; any other failure is Classify's.
func (c *Classifier) Classify(ctx context.Context, images [][]byte) ([]Result, error) {
	results := make([]Result, len(images))
	if len(images) == 0 {
		return results, nil
	}
	batch, err := c.decode(ctx, images, results)
	if err != nil || batch == nil {
		return results, err
	}
	defer batch.Close()
	probabilities, err := c.Answer(ctx, batch)
	if err != nil {
		return nil, err
	}
	for i := range results {
		if results[i].Err == nil {
			results[i].Prediction, probabilities = Prediction{c.Labels, probabilities[0]}, probabilities[1:]
		}
	}
	return results, nil
}

// decode makes the batch of the images that could be decoded, nil if none
// could, and notes the others' errors in results.
func (c *Classifier) decode(ctx context.Context, images [][]byte, results []Result) (*tensorflow.Tensor, error) {
	b, err := newBatch(c.Pipeline, len(images))
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, encoded := range images {
		group.Go(func() error {
			err := c.Pipeline.Into(ctx, encoded, b.row(i))
			if bad := (*pipeline.ImageError)(nil); errors.As(err, &bad) {
				results[i].Err = err
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.close()
		return nil, err
	}
	return b.take(func(i int) bool { return results[i].Err == nil })
}

// run computes the probabilities of a batch of preprocessed images.
func run(ctx context.Context, trunk *Trunk, head *Head, batch *tensorflow.Tensor, views int) (*tensorflow.Tensor, error) {
	bottlenecks, err := trunk.RunViews(ctx, batch, views)
	if err != nil {
		return nil, err
	}
	defer bottlenecks.Close()
	return head.Run(ctx, bottlenecks)
}

// Answer computes the probabilities of a batch of preprocessed images, of all
// their views side by side, one slice an image.
func (c *Classifier) Answer(ctx context.Context, batch *tensorflow.Tensor) ([][]float32, error) {
	views := c.Pipeline.Views()
	out, err := run(ctx, c.Trunk, c.Head, batch, views)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	n, k := int(batch.Shape()[0])/views, len(c.Labels)
	if !slices.Equal(out.Shape(), []int64{int64(n), int64(k)}) {
		return nil, fmt.Errorf("inference: the head answers %v for %d images of %d classes", out, n, k)
	}
	flat := slices.Clone(out.Float32())
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = flat[i*k : (i+1)*k : (i+1)*k]
	}
	return rows, nil
}
