package evaluation

import (
	"math"
	"slices"
)

// Bins is the number of bins of the expected calibration errors, as in Guo et
// al. 2017.
const Bins = 15

// A Calibration measures how reliable probabilities are.
type Calibration struct {
	// NLL is the mean negative log-likelihood of the true class, in nats.
	NLL float64 `json:"nll"`
	// Brier is the mean squared distance between the probabilities and the
	// truth, summed over the classes: 0 at best, 2 at worst (Brier 1950).
	Brier float64 `json:"brier"`
	// ECE is the expected calibration error of the likeliest class over Bins
	// bins of equal width: the mean distance between confidence and accuracy
	// (Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural
	// networks", ICML 2017, eq. 3).
	ECE float64 `json:"ece"`
	// AdaptiveECE is the same over bins of equal numbers of examples, which
	// the crowding of confidences near 1 does not leave empty (Nixon et al.,
	// "Measuring calibration in deep learning", CVPR workshops 2019, §3).
	AdaptiveECE float64 `json:"adaptive_ece"`
	// Reliability holds the bins of equal width that are not empty, from the
	// lowest confidence up: the points of a reliability diagram.
	Reliability []Bin `json:"reliability"`
}

// A Bin is the set of examples whose confidence lies in one interval.
type Bin struct {
	Count int `json:"count"`
	// Confidence is their mean probability of the likeliest class, Accuracy
	// the share of them whose likeliest class was the true one.
	Confidence float64 `json:"confidence"`
	Accuracy   float64 `json:"accuracy"`
}

// answer is one example's confidence and whether its prediction was correct.
type answer struct {
	confidence float64
	right      bool
}

// calibration measures the probabilities softmax(logits / temperature).
func calibration(p Predictions, temperature float64) Calibration {
	n := float64(len(p.Truth))
	answers := make([]answer, len(p.Truth))
	var c Calibration
	for i, t := range p.Truth {
		row := p.row(i)
		logSum := logSumExp(row, 1/temperature)
		distance := 0.0
		for class, z := range row {
			q := math.Exp(float64(z)/temperature - logSum)
			if class == t {
				q--
			}
			distance += q * q
		}
		guess := argmax(row)
		c.NLL += (logSum - float64(row[t])/temperature) / n
		c.Brier += distance / n
		answers[i] = answer{math.Exp(float64(row[guess])/temperature - logSum), guess == t}
	}
	wide := make([][]answer, Bins)
	for _, a := range answers {
		b := min(Bins-1, int(a.confidence*Bins))
		wide[b] = append(wide[b], a)
	}
	c.ECE, c.Reliability = calibrationError(wide)
	c.AdaptiveECE, _ = calibrationError(equalMass(answers))
	return c
}

// equalMass sorts the answers by confidence and divides them into Bins groups
// whose sizes differ by at most one.
func equalMass(answers []answer) [][]answer {
	slices.SortStableFunc(answers, func(a, b answer) int {
		switch {
		case a.confidence < b.confidence:
			return -1
		case a.confidence > b.confidence:
			return 1
		}
		return 0
	})
	runs := make([][]answer, Bins)
	for b := range runs {
		runs[b] = answers[b*len(answers)/Bins : (b+1)*len(answers)/Bins]
	}
	return runs
}

// calibrationError returns the distance between confidence and accuracy, each
// bin weighted by its examples, and the bins that are not empty.
func calibrationError(bins [][]answer) (float64, []Bin) {
	total, sum := 0, 0.0
	var kept []Bin
	for _, answers := range bins {
		if len(answers) == 0 {
			continue
		}
		b := Bin{Count: len(answers)}
		for _, a := range answers {
			b.Confidence += a.confidence / float64(b.Count)
			if a.right {
				b.Accuracy += 1 / float64(b.Count)
			}
		}
		total += b.Count
		sum += float64(b.Count) * math.Abs(b.Accuracy-b.Confidence)
		kept = append(kept, b)
	}
	return sum / float64(total), kept
}

// logSumExp returns log Σ exp(scale·z) without overflow.
func logSumExp(row []float32, scale float64) float64 {
	top := math.Inf(-1)
	for _, z := range row {
		top = max(top, scale*float64(z))
	}
	sum := 0.0
	for _, z := range row {
		sum += math.Exp(scale*float64(z) - top)
	}
	return top + math.Log(sum)
}
