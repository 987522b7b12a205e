package head

import "math"

// expOf returns e^x for x ≤ 0 to a relative 1e-11, which is ample for sums of
// numbers that came out of float32 products, in a third of math.Exp's time:
// that function is most of what a look at the loss costs.
//
// x is k·ln 2 + r with |r| ≤ ln 2 / 2; e^r is its Taylor polynomial, and k goes
// straight into the exponent of the result.
func expOf(x float64) float64 {
	if x < -700 {
		return 0
	}
	k := int64(x*math.Log2E - 0.5) // rounds, as x is not positive
	r := x - float64(k)*math.Ln2
	p := 1 + r*(1+r*(1./2+r*(1./6+r*(1./24+r*(1./120+r*(1./720+r*(1./5040+r*(1./40320+r*(1./362880)))))))))
	return p * math.Float64frombits(uint64(k+1023)<<52)
}
