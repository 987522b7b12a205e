package head

import (
	"math"
	"slices"
)

// A scaling standardises features: (x − mean)·factor.
type scaling struct {
	mean   []float64
	factor []float64 // 1/standard deviation; 0 for a constant feature
}

// prior is the weight, in examples, of the typical variance in the variance of
// each feature. The variances of a few examples are mostly chance, and a
// feature that is rarely active would be scaled up to the size of the others.
// Shrunk towards their median, as by Opgen-Rhein and Strimmer ("Accurate
// ranking of differentially expressed genes by a distribution-free shrinkage
// approach", SAGMB 6, 2007), they give better heads from five images per class,
// and equal ones from many.
const prior = 10

// constant is the standard deviation, relative to the largest magnitude, below
// which a feature counts as constant. Fewer than three of the seven digits of
// such a float32 feature vary, and the folded head, which computes on raw
// features in float32, would amplify the noise of the others.
const constant = 1e-4

// newScaling measures the examples of a set. Sums are in float64 and relative
// to the first example, so that a large common offset costs no digits.
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
	var variances []float64
	for j := range sums {
		mean := sums[j] / n
		sc.mean[j] = mean + float64(first[j])
		if v := squares[j]/n - mean*mean; v > constant*constant*largest[j]*largest[j] {
			sc.factor[j] = v
			variances = append(variances, v)
		}
	}
	if len(variances) == 0 {
		return sc
	}
	slices.Sort(variances)
	typical := variances[len(variances)/2]
	for j, v := range sc.factor {
		if v > 0 {
			sc.factor[j] = 1 / math.Sqrt((n*v+prior*typical)/(n+prior))
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
