package head

import "math"

// A scaling standardises features: (x − mean)·factor.
type scaling struct {
	mean   []float64
	factor []float64 // 1/standard deviation; 0 for a feature that never changes
}

// constant is the standard deviation, relative to the largest magnitude, below
// which a feature counts as constant. Of the seven digits of a float32 such a
// feature has less than three that change, and the folded head, which computes
// on raw features in float32, would amplify the noise of the others.
const constant = 1e-4

// newScaling measures the examples of a set. Sums are in float64 and around
// the first example, so that a large common offset costs no digits.
func newScaling(s Set) scaling {
	n := float64(s.Len())
	sums, squares := make([]float64, s.Dim), make([]float64, s.Dim)
	largest := make([]float64, s.Dim)
	first := s.Row(0)
	for i := range s.Len() {
		for j, v := range s.Row(i) {
			d := float64(v) - float64(first[j])
			sums[j] += d
			squares[j] += d * d
			largest[j] = max(largest[j], math.Abs(float64(v)))
		}
	}
	sc := scaling{mean: make([]float64, s.Dim), factor: make([]float64, s.Dim)}
	for j := range sums {
		mean := sums[j] / n
		sc.mean[j] = mean + float64(first[j])
		if deviation := math.Sqrt(max(0, squares[j]/n-mean*mean)); deviation > constant*largest[j] {
			sc.factor[j] = 1 / deviation
		}
	}
	return sc
}

// apply writes the standardised rows of a set.
func (sc scaling) apply(s Set, to []float32) {
	for i := range s.Len() {
		row := to[i*s.Dim : (i+1)*s.Dim]
		for j, v := range s.Row(i) {
			row[j] = float32((float64(v) - sc.mean[j]) * sc.factor[j])
		}
	}
}
