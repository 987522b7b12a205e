package scratch

import (
	"context"
	"fmt"
	"math"
)

// validate returns the mean cross-entropy and the accuracy on the validation
// images.
func (r *run) validate(ctx context.Context) (loss, accuracy float64, err error) {
	n, classes := r.validation.images.Len(), r.validation.classes
	right := 0
	for from := 0; from < n; from += r.options.BatchSize {
		to := min(from+r.options.BatchSize, n)
		order := make([]int, 0, to-from)
		for i := from; i < to; i++ {
			order = append(order, i)
		}
		b, err := r.validation.load(ctx, 0, order)
		if err != nil {
			return 0, 0, err
		}
		out, err := r.evaluate.Run(ctx, b.images)
		b.close()
		if err != nil {
			return 0, 0, fmt.Errorf("validation: %w", err)
		}
		logits := out[0].Float32()
		for k, i := range order {
			row := logits[k*classes:][:classes]
			label := r.validation.images.Label(i)
			likelihood, best := crossEntropy(row, label)
			loss += likelihood
			if best == label {
				right++
			}
		}
		closeAll(out)
	}
	return loss / float64(n), float64(right) / float64(n), nil
}

// crossEntropy returns -log softmax(logits)[label], and the class of the
// highest logit.
func crossEntropy(logits []float32, label int) (loss float64, best int) {
	for k, v := range logits {
		if v > logits[best] {
			best = k
		}
	}
	highest := float64(logits[best])
	var sum float64
	for _, v := range logits {
		sum += math.Exp(float64(v) - highest)
	}
	return highest + math.Log(sum) - float64(logits[label]), best
}
