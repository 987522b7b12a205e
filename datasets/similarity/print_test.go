package similarity

import (
	"math"
	"math/rand/v2"
	"testing"
)

// clouds returns a random image around a grey level, with detail at every
// scale.
func clouds(seed uint64, level, contrast float64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	grey := make([]float32, Side*Side)
	for u := range 12 {
		for v := range 12 {
			a := contrast * r.NormFloat64() / float64(1+u+v)
			for i := range grey {
				x, y := float64(i%Side), float64(i/Side)
				grey[i] += float32(a * math.Cos(math.Pi*(x+.5)*float64(u)/Side) * math.Cos(math.Pi*(y+.5)*float64(v)/Side))
			}
		}
	}
	for i := range grey {
		grey[i] += float32(level)
	}
	return grey
}

// The DCT matches its definition.
func TestLowest(t *testing.T) {
	grey := clouds(1, 100, 50)
	low := lowest(grey)
	for v := range frequencies {
		for u := range frequencies {
			want := 0.0
			for y := range Side {
				for x := range Side {
					want += float64(grey[y*Side+x]) *
						math.Cos(math.Pi*float64(2*x+1)*float64(u+1)/(2*Side)) * math.Cos(math.Pi*float64(2*y+1)*float64(v+1)/(2*Side))
				}
			}
			if got := low[v*frequencies+u]; math.Abs(got-want) > 1e-6 {
				t.Errorf("coefficient %d, %d is %g, want %g", v+1, u+1, got, want)
			}
		}
	}
}

// Brightness and contrast do not matter; a different image does.
func TestPrint(t *testing.T) {
	p, ok := PrintOf(clouds(1, 100, 40))
	if !ok || Distance(p.Hash, 0) != 32 {
		t.Fatalf("%t, %d bits set", ok, Distance(p.Hash, 0))
	}
	brighter, _ := PrintOf(clouds(1, 130, 60))
	if !Default.Alike(&p, &brighter) || Distance(p.Hash, brighter.Hash) != 0 {
		t.Errorf("brighter: %d bits, correlation %.3f", Distance(p.Hash, brighter.Hash), p.Correlation(&brighter))
	}
	other, _ := PrintOf(clouds(2, 100, 40))
	if Default.Alike(&p, &other) {
		t.Errorf("another: %d bits, correlation %.3f", Distance(p.Hash, other.Hash), p.Correlation(&other))
	}
	var none Print
	if p.Correlation(&none) != 0 {
		t.Error("nothing correlates")
	}
}

func TestFlat(t *testing.T) {
	grain := rand.New(rand.NewPCG(3, 3))
	stripes, page := make([]float32, Side*Side), make([]float32, Side*Side)
	for i := range page {
		stripes[i] = float32(255 * (i % 2))
		page[i] = 240 + float32(grain.NormFloat64())
	}
	for name, grey := range map[string][]float32{"black": make([]float32, Side*Side), "a blank page": page} {
		if _, ok := PrintOf(grey); ok {
			t.Errorf("%s has a print", name)
		}
	}
	if p, ok := PrintOf(stripes); ok && p == (Print{}) { // their frequency is too high for the print
		t.Error("stripes have an empty print")
	}
}
