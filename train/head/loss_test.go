package head

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The derivatives along a line match the value, and the residual is the
// gradient with respect to the logits.
func TestMarginDerivatives(t *testing.T) {
	const n, k, h = 300, 5, 1e-4
	rng := rand.New(rand.NewPCG(1, 1))
	m := margin{classes: k, z: make([]float32, n*k), dz: make([]float32, n*k)}
	labels := make([]int, n)
	for i := range m.z {
		m.z[i], m.dz[i] = float32(3*rng.NormFloat64()), float32(rng.NormFloat64())
		labels[i/k] = rng.IntN(k)
	}
	m.truth, m.weight = labels, exampleWeights(labels, k, true)
	residual, scratch := make([]float32, n*k), make([]float32, n*k)
	for _, at := range []float64{0, .5, -2} {
		s := m.at(at, residual)
		low, high := m.at(at-h, scratch), m.at(at+h, scratch)
		near(t, "first derivative", s.first, (high.value-low.value)/(2*h), 1e-7)
		near(t, "second derivative", s.second, (high.first-low.first)/(2*h), 1e-7)
		along := 0.0
		for i, r := range residual {
			along += float64(r) * float64(m.dz[i])
		}
		near(t, "residual along the line", along, s.first, 1e-6)
	}
}

func TestExpOf(t *testing.T) {
	for x := 0.0; x > -700; x -= .0137 {
		if want := math.Exp(x); math.Abs(expOf(x)-want) > 1e-11*want {
			t.Fatalf("e^%v = %v, want %v", x, expOf(x), want)
		}
	}
	for _, x := range []float64{-701, -1e300, math.Inf(-1)} {
		if expOf(x) != 0 {
			t.Errorf("e^%v = %v", x, expOf(x))
		}
	}
}
