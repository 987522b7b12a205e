package photographs

import (
	"image"
	"math"
	"math/rand/v2"
)

// scene describes one image: a ground of two colours with a directional grain,
// objects on it, light from one side, and sensor noise.
//
// The class determines the mean of the ground's first hue and of the grain's
// direction and roughness; the images of a class vary so much that classes
// overlap. The second hue, the objects and the light are independent of the
// class.
type scene struct {
	random      *rand.Rand
	relief      noise // lightness
	patches     noise // which of the two colours
	ground      [2]colour
	things      []thing
	light       [2]float64 // growth of lightness to the right and down
	contrast    float64
	sensorNoise float64
}

type colour [3]float64 // red, green, blue in 0 … 1

// thing is an ellipse with a soft edge and its own shade.
type thing struct {
	x, y, cos, sin, a, b float64
	colour               colour
	shade                float64
}

func newScene(class, classes int, r *rand.Rand) *scene {
	part := float64(class) / float64(classes)
	angle := math.Pi*part + 0.15*r.NormFloat64()
	roughness := 0.64 + 0.12*float64(2*class%classes)/float64(classes) + 0.02*r.NormFloat64()
	s := &scene{
		random: r,
		relief: noise{seed: r.Uint64(), longest: 200, octaves: 7, persistence: roughness,
			cos: math.Cos(angle), sin: math.Sin(angle), squeeze: 2 + r.Float64()},
		patches:     noise{seed: r.Uint64(), longest: 160, octaves: 4, persistence: 0.5, cos: 1, squeeze: 1},
		light:       [2]float64{0.2 * r.NormFloat64(), 0.2 * r.NormFloat64()},
		contrast:    0.25 + 0.2*r.Float64(),
		sensorNoise: 0.02 + 0.015*r.Float64(),
	}
	s.ground[0] = paint(part+0.05*r.NormFloat64(), 0.25+0.3*r.Float64(), 0.35+0.3*r.Float64())
	s.ground[1] = paint(r.Float64(), 0.2*r.Float64(), 0.35+0.3*r.Float64())
	for range 2 + r.IntN(7) {
		turn, size := 2*math.Pi*r.Float64(), math.Exp(2.5+1.8*r.Float64())
		s.things = append(s.things, thing{
			x: Width * r.Float64(), y: Height * r.Float64(), cos: math.Cos(turn), sin: math.Sin(turn),
			a: size, b: size * (0.3 + 0.7*r.Float64()),
			colour: paint(r.Float64(), 0.6*r.Float64(), 0.2+0.6*r.Float64()), shade: 0.3 * r.Float64(),
		})
	}
	return s
}

func (s *scene) draw() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, Width, Height))
	for y := range Height {
		for x := range Width {
			c := s.at(float64(x), float64(y))
			pixel := m.Pix[m.PixOffset(x, y):]
			for i, v := range c {
				pixel[i] = uint8(math.Round(255 * min(max(v+s.sensorNoise*s.random.NormFloat64(), 0), 1)))
			}
			pixel[3] = 255
		}
	}
	return m
}

func (s *scene) at(x, y float64) colour {
	c := s.ground[0].to(s.ground[1], min(max(0.3+2*s.patches.at(x, y), 0), 1))
	lightness := s.light[0]*(x/Width-0.5) + s.light[1]*(y/Height-0.5)
	relief := s.contrast * s.relief.at(x, y)
	for _, t := range s.things {
		cover, inner := t.covers(x, y)
		if cover > 0 {
			c = c.to(t.colour, cover)
			relief *= 1 - 0.6*cover
			lightness += cover * t.shade * (0.5 - inner)
		}
	}
	for i := range c {
		c[i] += lightness + relief
	}
	return c
}

// covers returns how much a thing covers a point, and how far from its centre
// the point is.
func (t thing) covers(x, y float64) (cover, inner float64) {
	dx, dy := x-t.x, y-t.y
	u, v := (dx*t.cos+dy*t.sin)/t.a, (dy*t.cos-dx*t.sin)/t.b
	inner = u*u + v*v
	return min(max((1-inner)*t.b/4, 0), 1), inner
}

func (c colour) to(d colour, t float64) colour {
	return colour{mix(c[0], d[0], t), mix(c[1], d[1], t), mix(c[2], d[2], t)}
}

// paint returns the colour of a hue, of which 1 is the full circle.
func paint(hue, saturation, lightness float64) colour {
	var c colour
	for i := range c {
		c[i] = lightness * (1 + saturation*math.Cos(2*math.Pi*(hue-float64(i)/3)))
	}
	return c
}
