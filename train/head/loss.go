package head

import (
	"math"
	"runtime"
	"sync"
)

// A margin is the logits of all training examples along a line: z + t·dz.
// Because logits are linear in the parameters, the loss anywhere on a line
// costs one pass over these few numbers and no product with the features, which
// makes exact line searches cheap.
type margin struct {
	classes int
	truth   []int
	weight  []float64 // of each example; their sum is 1
	z, dz   []float32 // [n, classes]
}

// A slope is the loss at a point on a line, and its first and second
// derivative along it.
type slope struct{ value, first, second float64 }

// at returns the loss at z + t·dz. The residual, [n, classes], receives the
// gradient with respect to the logits there, weight·(softmax − truth).
//
// Sums are in float64 whatever the products were computed in.
func (m margin) at(t float64, residual []float32) slope {
	n := len(m.truth)
	parts := min(runtime.GOMAXPROCS(0), n/64+1)
	sums := make([]slope, parts)
	var wait sync.WaitGroup
	for part := range parts {
		wait.Go(func() {
			sums[part] = m.rows(part*n/parts, (part+1)*n/parts, t, residual)
		})
	}
	wait.Wait()
	var total slope
	for _, s := range sums { // always in the same order, so that results are reproducible
		total.value += s.value
		total.first += s.first
		total.second += s.second
	}
	return total
}

// rows sums over the examples from..to.
func (m margin) rows(from, to int, t float64, residual []float32) slope {
	k := m.classes
	e := make([]float64, k)
	var total slope
	for i := from; i < to; i++ {
		z, dz := m.z[i*k:(i+1)*k], m.dz[i*k:(i+1)*k]
		top := math.Inf(-1)
		for c := range e {
			e[c] = float64(z[c]) + t*float64(dz[c])
			top = max(top, e[c])
		}
		truth := m.truth[i]
		own := e[truth] - top
		var sum, mean, square float64
		for c, u := range e {
			q := expOf(u - top)
			e[c] = q
			d := float64(dz[c])
			sum += q
			mean += q * d
			square += q * d * d
		}
		mean /= sum
		square /= sum
		w := m.weight[i]
		total.value += w * (math.Log(sum) - own)
		total.first += w * (mean - float64(dz[truth]))
		total.second += w * max(0, square-mean*mean)
		r := residual[i*k : (i+1)*k]
		scale := w / sum
		for c, q := range e {
			r[c] = float32(scale * q)
		}
		r[truth] = float32(w * (e[truth]/sum - 1))
	}
	return total
}

// advance moves z to z + t·dz.
func (m margin) advance(t float64) {
	for i, d := range m.dz {
		m.z[i] = float32(float64(m.z[i]) + t*float64(d))
	}
}
