package scratch

import "math/rand/v2"

// Augment says how training images are varied. The zero value leaves them as
// they are.
type Augment struct {
	// Shift moves an image by up to so many pixels in each direction, its edge
	// filled with zeros: the padded random crop of He et al. 2015, §4.2.
	Shift int `json:"shift,omitempty"`
	// Flip mirrors half of the images left to right: wrong for digits and text.
	Flip bool `json:"flip,omitempty"`
	// Brightness and Contrast change by up to these parts of the image's
	// standard range, drawn evenly.
	Brightness float64 `json:"brightness,omitempty"`
	Contrast   float64 `json:"contrast,omitempty"`
}

// Apply writes the varied image to dst. Both have the shape height, width,
// channels; they must not be the same memory.
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
