package inference

import (
	"tkit/internal/pipeline"
	"tkit/internal/tensorflow"
)

// batch is a tensor of images. Several goroutines fill its rows, and some may stay
// empty. A row has all views of an image.
type batch struct {
	tensor *tensorflow.Tensor
	flat   []float32
	rows   int
	views  int     // a row
	shape  []int64 // of the tensor, views first
	stride int     // elements a row
}

func newBatch(p *pipeline.Pipeline, rows int) (*batch, error) {
	h, w, c := p.Shape()
	b := &batch{
		rows: rows, views: p.Views(), stride: p.Elements(),
		shape: []int64{int64(rows * p.Views()), int64(h), int64(w), int64(c)},
	}
	var err error
	if b.tensor, err = tensorflow.NewTensor(tensorflow.Float32, b.shape...); err != nil {
		return nil, err
	}
	b.flat = b.tensor.Float32()
	return b, nil
}

func (b *batch) row(i int) []float32 {
	return b.flat[i*b.stride : (i+1)*b.stride : (i+1)*b.stride]
}

func (b *batch) close() { b.tensor.Close() }

// take returns the tensor of the filled rows in their order, nil if there are
// none, and ends the batch. It copies only if rows are missing.
func (b *batch) take(full func(i int) bool) (*tensorflow.Tensor, error) {
	var rows []int
	for i := range b.rows {
		if full(i) {
			rows = append(rows, i)
		}
	}
	switch len(rows) {
	case b.rows:
		return b.tensor, nil
	case 0:
		b.close()
		return nil, nil
	}
	defer b.close()
	shape := append([]int64{int64(len(rows) * b.views)}, b.shape[1:]...)
	t, err := tensorflow.NewTensor(tensorflow.Float32, shape...)
	if err != nil {
		return nil, err
	}
	to := t.Float32()
	for _, i := range rows {
		to = to[copy(to, b.row(i)):]
	}
	return t, nil
}
