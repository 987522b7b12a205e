package inference

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
)

// views returns the rows of an encoded image, whose SHA-256 is given: one, or ten that
// share one decoding if there is a ten_crop step.
func (c *imageClassifier) views(encoded []byte, sum [sha256.Size]byte) []Row {
	key := c.digest + string(sum[:])
	if c.pipeline.Views() == 1 {
		return []Row{{
			Key: key, Shape: c.shape,
			Fill: func(ctx context.Context, dst []float32) error { return c.preprocess(ctx, encoded, dst) },
		}}
	}
	d := &decodedViews{}
	rows := make([]Row, c.pipeline.Views())
	for i := range rows {
		rows[i] = Row{
			Key: fmt.Sprintf("%s view %d", key, i), Shape: c.shape,
			Fill: func(ctx context.Context, dst []float32) error {
				values, err := d.get(func() ([]float32, error) {
					values := make([]float32, c.pipeline.Elements())
					return values, c.preprocess(ctx, encoded, values)
				})
				if err != nil {
					return err
				}
				copy(dst, values[i*len(dst):])
				return nil
			},
		}
	}
	return rows
}

// decodedViews are all views of an image, computed by the first row that is filled.
// An error is not cached, because the request of that row may have been cancelled.
type decodedViews struct {
	mu     sync.Mutex
	values []float32
}

func (d *decodedViews) get(decode func() ([]float32, error)) ([]float32, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.values != nil {
		return d.values, nil
	}
	values, err := decode()
	if err != nil {
		return nil, err
	}
	d.values = values
	return values, nil
}
