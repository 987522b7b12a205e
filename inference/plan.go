package inference

import "time"

// A pending row is the information about a queued row that [planBatch] needs.
type pending struct {
	shape    [3]int    // height, width, channels
	deadline time.Time // zero: none
}

// planBatch selects the next batch. The queue is in order of arrival. The
// oldest row that has not expired sets the shape; rows of that shape join it,
// oldest first, up to most. Rows whose deadline has passed are expired and do
// not run. Both results are indices into the queue, ascending.
//
// A batch never waits to grow and is never padded to a rounder size: a pass of
// ResNet-50 costs the same for each image from 3 images to 8, odd or even, and
// from 12 on more, when its activations no longer fit the caches.
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

// retryAfter estimates when a queue of n rows has space again: when half of it
// is processed, at the given mean time per row. It is at least a second, since
// HTTP's Retry-After is in seconds.
func retryAfter(n int, perRow time.Duration) time.Duration {
	return max(time.Second, (time.Duration(n) * perRow / 2).Round(time.Second))
}

// smooth adds an observation to an exponentially weighted mean. A mean of zero
// has no observations yet.
func smooth(mean, observed time.Duration) time.Duration {
	if mean == 0 {
		return observed
	}
	return mean + (observed-mean)/8
}
