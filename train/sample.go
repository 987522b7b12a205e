package train

import "context"

// sampleSize is how many images a version's sample has: enough to notice a
// precision that changes one answer in a hundred about half of the time, and
// little beside a network.
const sampleSize = 64

// sample reads images spread evenly over the side that settings were chosen by,
// or the test's, or else those that were trained on.
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
