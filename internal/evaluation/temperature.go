package evaluation

import "math"

// The range of FitTemperature.
const (
	minTemperature = 0.01
	maxTemperature = 100
)

// FitTemperature returns the temperature with which the probabilities fit the
// labels best, when the logits are divided by it: temperature scaling (Guo et
// al. 2017, §4.2). It never changes the likeliest class.
//
// The predictions must be for examples that the logits were not trained on.
//
// The negative log-likelihood is convex in the inverse temperature β, as a
// log-sum-exp of linear functions of β minus a linear function, so a
// safeguarded Newton iteration finds the only minimum. On a set classified
// without errors the minimum would be at infinite certainty. Therefore, like
// Platt for two classes ("Probabilistic outputs for support vector machines",
// 1999, §2.2), the target of the true class is (n+1)/(n+2) instead of 1, and
// the rest is shared by the other classes. With many examples this changes
// nothing; with few it limits the certainty to what the examples justify.
func FitTemperature(p Predictions) (float64, error) {
	if err := p.validate(); err != nil {
		return 0, err
	}
	low, high := 1/float64(maxTemperature), 1/minTemperature
	if slope, _ := smoothedSlope(p, low); slope >= 0 {
		return maxTemperature, nil
	}
	if slope, _ := smoothedSlope(p, high); slope <= 0 {
		return minTemperature, nil
	}
	beta := 1.0
	for range 100 {
		slope, curvature := smoothedSlope(p, beta)
		if slope > 0 {
			high = beta
		} else {
			low = beta
		}
		next := beta - slope/curvature
		if !(next > low && next < high) { // also if the curvature is 0
			next = math.Sqrt(low * high)
		}
		if math.Abs(next-beta) <= 1e-12*beta {
			return 1 / next, nil
		}
		beta = next
	}
	return 1 / beta, nil
}

// smoothedSlope returns the first and second derivative, with respect to the
// inverse temperature, of the mean cross-entropy between the smoothed targets
// and softmax(β·logits).
func smoothedSlope(p Predictions, beta float64) (slope, curvature float64) {
	n, k := float64(len(p.Truth)), float64(len(p.Labels))
	truthTarget := (n + 1) / (n + 2)
	otherTarget := (1 - truthTarget) / (k - 1)
	for i, t := range p.Truth {
		row := p.row(i)
		logSum := logSumExp(row, beta)
		var mean, square, sum float64
		for _, z32 := range row {
			z := float64(z32)
			q := math.Exp(beta*z - logSum)
			mean += q * z
			square += q * z * z
			sum += z
		}
		truth := float64(row[t])
		target := truthTarget*truth + otherTarget*(sum-truth)
		slope += (mean - target) / n
		curvature += (square - mean*mean) / n
	}
	return slope, curvature
}
