package main

import (
	"image"
)

// salient returns the box around the most salient region, empty if there is
// none.
//
// The saliency of a pixel is the distance of its blurred colour from the
// image's mean colour. The region is connected, more salient than twice the
// mean, and has the greatest sum. R. Achanta, S. Hemami, F. Estrada, S.
// Süsstrunk, Frequency-tuned Salient Region Detection, CVPR 2009, equations 8
// and 10; distances are computed in the given channels instead of CIE Lab,
// which would need fractions.
func salient(p picture) image.Rectangle {
	s := saliency(p)
	var sum uint64
	for _, v := range s {
		sum += v
	}
	return largest(s, p.width, 2*sum/uint64(len(s)))
}

// saliency returns each pixel's squared distance from the mean, in units of
// 1/65,536.
func saliency(p picture) []uint64 {
	s := make([]uint64, p.width*p.height)
	for c := range p.channels {
		var sum int
		for i := c; i < len(p.pixels); i += p.channels {
			sum += int(p.pixels[i])
		}
		mean := sum * 256 / len(s)
		for i, v := range blurred(p, c) {
			s[i] += uint64((v - mean) * (v - mean))
		}
	}
	return s
}

// binomial is the paper's small Gaussian; its sum is 16.
var binomial = [5]int{1, 4, 6, 4, 1}

// blurred returns a channel filtered by the binomial kernel in both directions,
// times 256.
func blurred(p picture, channel int) []int {
	across := make([]int, p.width*p.height)
	both := make([]int, len(across))
	for y := range p.height {
		for x := range p.width {
			for k, weight := range binomial {
				across[y*p.width+x] += weight * p.at(min(max(0, x+k-2), p.width-1), y, channel)
			}
		}
	}
	for y := range p.height {
		for x := range p.width {
			for k, weight := range binomial {
				both[y*p.width+x] += weight * across[min(max(0, y+k-2), p.height-1)*p.width+x]
			}
		}
	}
	return both
}

// largest returns the box around the connected pixels above a threshold,
// including diagonal neighbours, with the greatest sum; of equal ones the
// topmost.
func largest(s []uint64, width int, threshold uint64) image.Rectangle {
	var box image.Rectangle
	var greatest uint64
	seen := make([]bool, len(s))
	var todo []int
	for start := range s {
		if seen[start] || s[start] <= threshold {
			continue
		}
		seen[start] = true
		todo = append(todo[:0], start)
		var sum uint64
		var around image.Rectangle
		for len(todo) > 0 {
			i := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			x, y := i%width, i/width
			sum += s[i]
			around = around.Union(image.Rect(x, y, x+1, y+1))
			for ny := max(0, y-1); ny <= min(y+1, len(s)/width-1); ny++ {
				for nx := max(0, x-1); nx <= min(x+1, width-1); nx++ {
					if n := ny*width + nx; !seen[n] && s[n] > threshold {
						seen[n] = true
						todo = append(todo, n)
					}
				}
			}
		}
		if sum > greatest {
			greatest, box = sum, around
		}
	}
	return box
}
