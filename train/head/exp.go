package head

import "math"

// expOf returns e^x for x ≤ 0 with a relative error of 1e-11, which is ample
// for sums of numbers from float32 products, in a third of the time of
// math.Exp: that function dominates the cost of evaluating the loss.
//
// x is k·ln 2 + r with |r| ≤ ln 2 / 2; e^r is its Taylor polynomial, and k is
// added to the exponent of the result.
func expOf(x float64) float64 {
	if x < -700 {
		return 0
	}
	k := int64(x*math.Log2E - 0.5) // rounds, because x is not positive
	r := x - float64(k)*math.Ln2
	p := 1 + r*(1+r*(1./2+r*(1./6+r*(1./24+r*(1./120+r*(1./720+r*(1./5040+r*(1./40320+r*(1./362880)))))))))
	return p * math.Float64frombits(uint64(k+1023)<<52)
}
