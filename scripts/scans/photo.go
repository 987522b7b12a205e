package main

import (
	"image"
	"math"
	"math/rand/v2"

	"tkit/datasets/digits"
)

// photo returns a digit in dark ink on a white card that is rotated on a dark
// table of 96 × 96 pixels, seen at an angle, with light that decreases to one side.
func photo(r *rand.Rand, d digits.Digit) image.Image {
	const side, samples = 96, 3
	view := viewOf(card(r, side))
	table := 25 + r.Float64()*35
	direction, fall := r.Float64()*2*math.Pi, 0.3+0.3*r.Float64()
	m := image.NewGray(image.Rect(0, 0, side, side))
	for i := range m.Pix {
		light, noise := 0.0, 12*r.Float64()
		for s := range samples * samples {
			x := float64(i%side) + (float64(s%samples)+0.5)/samples
			y := float64(i/side) + (float64(s/samples)+0.5)/samples
			if u, v := view.at(x, y); u >= 0 && u < 1 && v >= 0 && v < 1 {
				light += 235 * (1 - 0.85*ink(d, u, v))
			} else {
				light += table
			}
		}
		across := math.Cos(direction)*(float64(i%side)/side-0.5) + math.Sin(direction)*(float64(i/side)/side-0.5)
		m.Pix[i] = uint8(light/(samples*samples)*(1-fall*(across+0.5)) + noise)
	}
	return m
}

type point struct{ x, y float64 }

// card returns the corners of a card, clockwise from the upper left: rotated by
// up to 30 degrees, and moved independently as in a slanted view.
func card(r *rand.Rand, side float64) [4]point {
	half, turn := side*(0.22+0.1*r.Float64()), (r.Float64()-0.5)*math.Pi/3
	reach := half * 1.6
	middle := point{reach + r.Float64()*(side-2*reach), reach + r.Float64()*(side-2*reach)}
	if reach > side/2 {
		middle = point{side / 2, side / 2}
	}
	var corners [4]point
	for i, c := range [4]point{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}} {
		x, y := half*(c.x+0.3*(r.Float64()-0.5)), half*(c.y+0.3*(r.Float64()-0.5))
		corners[i] = point{middle.x + x*math.Cos(turn) - y*math.Sin(turn), middle.y + x*math.Sin(turn) + y*math.Cos(turn)}
	}
	return corners
}

// view is the projection of a card: it maps a point of the picture to one of the
// card, with coordinates from 0 to 1 from left to right and from top to bottom. It
// is the inverse of the mapping of the unit square to four corners (Heckbert,
// "Fundamentals of Texture Mapping and Image Warping", 1989, section 2.2.3).
type view [3][3]float64

func viewOf(c [4]point) view {
	dx1, dx2, sx := c[1].x-c[2].x, c[3].x-c[2].x, c[0].x-c[1].x+c[2].x-c[3].x
	dy1, dy2, sy := c[1].y-c[2].y, c[3].y-c[2].y, c[0].y-c[1].y+c[2].y-c[3].y
	area := dx1*dy2 - dx2*dy1
	g, h := (sx*dy2-dx2*sy)/area, (dx1*sy-sx*dy1)/area
	m := view{
		{c[1].x - c[0].x + g*c[1].x, c[3].x - c[0].x + h*c[3].x, c[0].x},
		{c[1].y - c[0].y + g*c[1].y, c[3].y - c[0].y + h*c[3].y, c[0].y},
		{g, h, 1},
	}
	var adjugate view
	for i := range 3 {
		for j := range 3 {
			a, b, c, d := (j+1)%3, (j+2)%3, (i+1)%3, (i+2)%3
			adjugate[i][j] = m[a][c]*m[b][d] - m[a][d]*m[b][c]
		}
	}
	return adjugate
}

func (m view) at(x, y float64) (u, v float64) {
	depth := m[2][0]*x + m[2][1]*y + m[2][2]
	return (m[0][0]*x + m[0][1]*y + m[0][2]) / depth, (m[1][0]*x + m[1][1]*y + m[1][2]) / depth
}

// ink returns how dark the digit is at a point of its card, with a margin at the
// edges.
func ink(d digits.Digit, u, v float64) float64 {
	const margin = 0.2
	x, y := int(math.Floor((u-margin)/(1-2*margin)*digits.Side)), int(math.Floor((v-margin)/(1-2*margin)*digits.Side))
	if x < 0 || y < 0 || x >= digits.Side || y >= digits.Side {
		return 0
	}
	return float64(d.Pixels[y*digits.Side+x]) / digits.White
}
