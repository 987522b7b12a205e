package scratch

import "math/rand/v2"

// Augment sets how training images are varied. The zero value leaves them
// unchanged.
type Augment struct {
	// Shift moves an image by up to the given number of pixels in each
	// direction, filling the edge with zeros: the padded random crop of He et
	// al. 2015, §4.2.
	Shift int `json:"shift,omitempty"`
	// Flip mirrors half of the images left to right: unsuitable for digits and
	// text.
	Flip bool `json:"flip,omitempty"`
	// Brightness and Contrast vary uniformly by up to these fractions of the
	// image's standard range.
	Brightness float64 `json:"brightness,omitempty"`
	Contrast   float64 `json:"contrast,omitempty"`
}

// Apply writes the varied image to dst. Both have the shape height, width,
// channels, and must not overlap.
func (a Augment) Apply(dst, src []float32, shape [3]int, random *rand.Rand) {
	height, width, channels := shape[0], shape[1], shape[2]
	dy, dx := 0, 0
	if a.Shift > 0 {
		dy, dx = random.IntN(2*a.Shift+1)-a.Shift, random.IntN(2*a.Shift+1)-a.Shift
	}
	flip := a.Flip && random.IntN(2) == 1
	gain, bias := float32(1), float32(0)
	if a.Contrast > 0 {
		gain += float32(a.Contrast * (2*random.Float64() - 1))
	}
	if a.Brightness > 0 {
		bias = float32(a.Brightness * (2*random.Float64() - 1))
	}
	for y := range height {
		for x := range width {
			to := dst[(y*width+x)*channels:][:channels]
			sy, sx := y-dy, x-dx
			if flip {
				sx = width - 1 - sx
			}
			if sy < 0 || sy >= height || sx < 0 || sx >= width {
				clear(to)
				continue
			}
			from := src[(sy*width+sx)*channels:][:channels]
			for c, v := range from {
				to[c] = gain*v + bias
			}
		}
	}
}
