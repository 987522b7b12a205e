package train

import "context"

// sampleSize is the number of images in a version's sample: enough to detect,
// about half of the time, a precision that changes one prediction in a hundred,
// and small compared with a network.
const sampleSize = 64

// sample reads images spread evenly over the validation side, or the test side,
// or else the training side.
func (d *dataset) sample(ctx context.Context) ([][]byte, error) {
	from := d.split.Validation
	if len(from) == 0 {
		from = d.split.Test
	}
	if len(from) == 0 {
		from = d.split.Train
	}
	n := min(sampleSize, len(from))
	sample := make([][]byte, n)
	for i := range sample {
		var err error
		if sample[i], err = d.read(ctx, from[i*len(from)/n]); err != nil {
			return nil, err
		}
	}
	return sample, nil
}
