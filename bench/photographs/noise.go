package photographs

import "math"

// noise is a smooth random function of the plane with values of about -1 to 1:
// octaves of a random lattice, each with half the wavelength of the previous
// one.
type noise struct {
	seed    uint64
	longest float64 // wavelength of the first octave in pixels
	octaves int
	// persistence is an octave's amplitude relative to the previous one's.
	// Photographs have about the same contrast at all scales, which corresponds
	// to about 0.6.
	persistence float64
	// The plane is rotated by the angle and compressed along it.
	cos, sin, squeeze float64
}

func (n noise) at(x, y float64) float64 {
	u, v := (x*n.cos+y*n.sin)*n.squeeze, y*n.cos-x*n.sin
	sum, total, amplitude, frequency := 0.0, 0.0, 1.0, 1/n.longest
	for octave := range uint64(n.octaves) {
		sum += amplitude * lattice(n.seed+octave, u*frequency, v*frequency)
		total += amplitude
		amplitude *= n.persistence
		frequency *= 2
	}
	return 1.7 * sum / total // compensates for averaging
}

// lattice interpolates between random values at whole coordinates.
func lattice(seed uint64, x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	i, j, tx, ty := int64(fx), int64(fy), smooth(x-fx), smooth(y-fy)
	top := mix(value(seed, i, j), value(seed, i+1, j), tx)
	bottom := mix(value(seed, i, j+1), value(seed, i+1, j+1), tx)
	return mix(top, bottom, ty)
}

// value hashes a lattice point to -1 … 1, by the finaliser of SplitMix64.
func value(seed uint64, i, j int64) float64 {
	z := seed*0x9e3779b97f4a7c15 + uint64(i)*0xbf58476d1ce4e5b9 + uint64(j)*0x94d049bb133111eb
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11)/(1<<52) - 1
}

func smooth(t float64) float64    { return t * t * (3 - 2*t) }
func mix(a, b, t float64) float64 { return a + (b-a)*t }
