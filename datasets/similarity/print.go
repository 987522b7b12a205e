// Package similarity finds images that look alike: a short print of an image's
// appearance (PrintOf), a comparison of prints (Threshold.Alike), and groups of
// such images (Threshold.Groups).
//
// The package is pure Go and decodes nothing: it takes grey pixels.
package similarity

import (
	"math"
	"math/bits"
	"slices"
)

// Side is the height and width of the grey image that a print is made from.
const Side = 32

// frequencies is how many of the lowest spatial frequencies, besides the
// constant, a print uses in each direction.
const frequencies = 8

// A Print summarises an image's appearance in 72 bytes.
//
// Hash is the perceptual hash of Zauner, "Implementation and Benchmarking of
// Perceptual Image Hash Functions", 2010, §3.2.1 (pHash's DCT hash): the
// two-dimensional DCT-II of the grey image of 32 × 32 pixels, of that the 8 × 8
// coefficients after the constant row and column, with one bit each for whether
// it is above their median. It ignores the magnitude of a coefficient, which
// makes it robust but also lets images that have only a few edges in common
// come close. So Shape keeps the coefficients, and Alike compares both.
type Print struct {
	Hash  uint64
	Shape [frequencies * frequencies]int8 // in proportion, the largest being ±127
}

// flat is the standard deviation, in grey levels of 255, below which an image
// has no features: what remains is paper grain and uneven lighting, which are
// unrelated to the content.
const flat = 3

// PrintOf makes the print of a grey image of Side × Side pixels from 0 to 255,
// row by row. It returns false and the zero value if the image is flat, such as
// the scan of a blank page: its print would be noise.
func PrintOf(grey []float32) (p Print, ok bool) {
	var mean, squares float64
	for _, v := range grey[:Side*Side] {
		mean += float64(v)
		squares += float64(v) * float64(v)
	}
	mean /= Side * Side
	if squares/(Side*Side)-mean*mean < flat*flat {
		return Print{}, false
	}
	low := lowest(grey)
	largest := 0.0
	for _, v := range low {
		largest = max(largest, math.Abs(v))
	}
	if largest == 0 {
		return Print{}, false // all its content is in frequencies that the print ignores
	}
	sorted := low
	slices.Sort(sorted[:])
	median := (sorted[len(sorted)/2-1] + sorted[len(sorted)/2]) / 2
	for i, v := range low {
		if v > median {
			p.Hash |= 1 << i
		}
		p.Shape[i] = int8(math.Round(127 * v / largest))
	}
	return p, true
}

// waves has cos(π(2x+1)u/2n) for the frequencies u = 1 … 8.
var waves = func() (w [frequencies][Side]float64) {
	for u := range w {
		for x := range w[u] {
			w[u][x] = math.Cos(math.Pi * float64(2*x+1) * float64(u+1) / (2 * Side))
		}
	}
	return w
}()

// lowest returns the coefficients of the DCT-II, row by row, without its
// constant factor.
func lowest(grey []float32) (low [frequencies * frequencies]float64) {
	for y := range Side {
		row := grey[y*Side : (y+1)*Side]
		for u := range frequencies {
			sum := 0.0
			for x, v := range row {
				sum += float64(v) * waves[u][x]
			}
			for v := range frequencies {
				low[v*frequencies+u] += sum * waves[v][y]
			}
		}
	}
	return low
}

// Distance is the number of bits in which two hashes differ.
func Distance(a, b uint64) int { return bits.OnesCount64(a ^ b) }

// Correlation is the cosine between the shapes of two prints: 1 for equal
// images, whatever their brightness and contrast.
func (p *Print) Correlation(q *Print) float64 {
	var pq, pp, qq int
	for i, a := range p.Shape {
		a, b := int(a), int(q.Shape[i])
		pq += a * b
		pp += a * a
		qq += b * b
	}
	if pp == 0 || qq == 0 {
		return 0
	}
	return float64(pq) / math.Sqrt(float64(pp)*float64(qq))
}
