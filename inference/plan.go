package inference

import "time"

// A pending row is what [planBatch] needs to know of a row in the queue.
type pending struct {
	shape    [3]int    // height, width, channels
	deadline time.Time // zero: none
}

// planBatch decides what runs next. The queue is in order of arrival. The
// oldest row that can still be answered sets the shape; rows of that shape
// join it, oldest first, up to most. Rows whose deadline has passed are not
// worth running: they are expired. Both results are indices into the queue,
// ascending.
//
// A batch is never held back to grow, and never padded to a rounder size: a
// pass of ResNet-50 costs the same for each image from 3 images to 8, odd or
// even, and from 12 on more, when its activations no longer fit the caches.
func planBatch(queue []pending, now time.Time, most int) (batch, expired []int) {
	for i, p := range queue {
		switch {
		case !p.deadline.IsZero() && !p.deadline.After(now):
			expired = append(expired, i)
		case len(batch) < most && (len(batch) == 0 || p.shape == queue[batch[0]].shape):
			batch = append(batch, i)
		}
	}
	return batch, expired
}

// retryAfter estimates when a queue of n waiting rows has space again, from the
// mean time one row takes: half the queue must go through. At least a second,
// since HTTP's Retry-After counts in seconds.
func retryAfter(n int, perRow time.Duration) time.Duration {
	return max(time.Second, (time.Duration(n) * perRow / 2).Round(time.Second))
}

// smooth folds one more observation into an exponentially weighted mean;
// a mean of zero has seen none.
func smooth(mean, observed time.Duration) time.Duration {
	if mean == 0 {
		return observed
	}
	return mean + (observed-mean)/8
}
