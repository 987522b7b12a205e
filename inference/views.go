package inference

import (
	"context"
	"fmt"

	"tkit/internal/tensorflow"
)

// RunViews computes the bottlenecks of a batch of images with several views
// each. The views of an image are adjacent in the batch; its bottleneck is the
// mean over them, one row an image. The caller closes both tensors.
func (t *Trunk) RunViews(ctx context.Context, batch *tensorflow.Tensor, views int) (*tensorflow.Tensor, error) {
	all, err := t.Run(ctx, batch)
	if err != nil || views == 1 {
		return all, err
	}
	defer all.Close()
	shape := all.Shape()
	if len(shape) == 0 || shape[0]%int64(views) != 0 {
		return nil, fmt.Errorf("trunk: it returned %v for images of %d views", all, views)
	}
	shape[0] /= int64(views)
	mean, err := tensorflow.NewTensor(tensorflow.Float32, shape...)
	if err != nil {
		return nil, err
	}
	from, to := all.Float32(), mean.Float32()
	width := len(to) / int(shape[0])
	for i := range int(shape[0]) {
		rows := make([][]float32, views)
		for v := range rows {
			rows[v] = from[(i*views+v)*width:][:width]
		}
		copy(to[i*width:], meanOfViews(rows))
	}
	return mean, nil
}

// meanOfViews returns the bottleneck of an image, the mean of those of its views.
// Training and serving both use it.
func meanOfViews(views [][]float32) []float32 {
	mean := make([]float32, len(views[0]))
	for _, view := range views {
		for i, v := range view {
			mean[i] += v
		}
	}
	for i := range mean {
		mean[i] /= float32(len(views))
	}
	return mean
}
