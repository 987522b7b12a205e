package head

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"

	"tkit/internal/tensorflow"
)

// memory is the number of past steps that L-BFGS learns curvature from.
const memory = 10

// A problem is one convex problem over fixed features, whose penalty may be
// changed between solutions: each then starts from the last.
type problem struct {
	*multiplier
	features *tensorflow.Tensor // [n, d]
	n, d, k  int
	// x holds the weights [k, d], then the intercepts [k].
	x      []float64
	margin margin // z is always the logits at x
	// residual is the gradient with respect to the logits at x.
	residual *tensorflow.Tensor // [n, k]
	line     *tensorflow.Tensor // [k, d], the weights' part of a direction
}

// newProblem starts at zero weights. The features remain the caller's.
func newProblem(m *multiplier, features *tensorflow.Tensor, truth []int, weight []float64, classes int) (*problem, error) {
	shape := features.Shape()
	p := &problem{multiplier: m, features: features, n: int(shape[0]), d: int(shape[1]), k: classes}
	p.x = make([]float64, p.k*p.d+p.k)
	p.margin = margin{
		classes: p.k, truth: truth, weight: weight,
		z: make([]float32, p.n*p.k), dz: make([]float32, p.n*p.k),
	}
	var err error
	if p.residual, err = tensorflow.NewTensor(tensorflow.Float32, int64(p.n), int64(p.k)); err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	if p.line, err = tensorflow.NewTensor(tensorflow.Float32, int64(p.k), int64(p.d)); err != nil {
		p.residual.Close()
		return nil, fmt.Errorf("head: %w", err)
	}
	return p, nil
}

func (p *problem) close() {
	p.residual.Close()
	p.line.Close()
}

// weights returns the penalised part of a parameter vector.
func (p *problem) weights(v []float64) []float64 { return v[:p.k*p.d] }

// intercepts returns the rest of it.
func (p *problem) intercepts(v []float64) []float64 { return v[p.k*p.d:] }

// solve moves x to the minimum for the penalty and returns the objective there
// and the number of iterations.
//
// The directions are L-BFGS's (Liu and Nocedal, "On the limited memory BFGS
// method for large scale optimization", Mathematical Programming 45, 1989), as
// gonum computes them. The search along each is this package's own: a Newton
// iteration on the margin, so that an iteration costs two products with the
// features however often the loss is looked at.
func (p *problem) solve(ctx context.Context, penalty, tolerance float64, maxIterations int) (objective float64, iterations int, err error) {
	p.rescale(penalty)
	location := &optimize.Location{X: p.x, Gradient: make([]float64, len(p.x))}
	direction := make([]float64, len(p.x))
	if location.F, err = p.gradient(ctx, penalty, location.Gradient); err != nil {
		return 0, 0, err
	}
	method := &optimize.LBFGS{Store: memory}
	fresh := true // the method has forgotten the past
	for iterations < maxIterations && floats.Norm(location.Gradient, math.Inf(1)) > tolerance {
		if fresh {
			method.InitDirection(location, direction)
		} else {
			method.NextDirection(location, direction)
		}
		before := location.F
		moved, err := p.search(ctx, penalty, location.Gradient, direction, fresh)
		if err != nil {
			return 0, 0, err
		}
		if !moved {
			if fresh { // not even downhill: this is what float32 can tell
				break
			}
			fresh = true
			continue
		}
		iterations++
		if location.F, err = p.gradient(ctx, penalty, location.Gradient); err != nil {
			return 0, 0, err
		}
		fresh = !(location.F < before)
	}
	if err := p.refresh(ctx); err != nil {
		return 0, 0, err
	}
	w := p.weights(p.x)
	return p.margin.at(0, p.residual.Float32()).value + penalty/2*floats.Dot(w, w), iterations, nil
}

// gradient returns the objective at x and writes its gradient.
func (p *problem) gradient(ctx context.Context, penalty float64, gradient []float64) (float64, error) {
	loss := p.margin.at(0, p.residual.Float32())
	product, err := multiply(ctx, p.backward, p.residual, p.features)
	if err != nil {
		return 0, err
	}
	defer product.Close()
	w, g := p.weights(p.x), p.weights(gradient)
	square := 0.0
	for i, v := range product.Float32() {
		g[i] = float64(v) + penalty*w[i]
		square += w[i] * w[i]
	}
	b := p.intercepts(gradient)
	clear(b)
	residual := p.residual.Float32()
	for i := range p.n {
		for c, r := range residual[i*p.k : (i+1)*p.k] {
			b[c] += float64(r)
		}
	}
	return loss.value + penalty/2*square, nil
}

// The search along a direction ends when the slope is this part of what it was
// at the start, or after so many looks at the loss.
const (
	searchSlope = 0.1
	searchLooks = 20
)

// search moves x along the direction to about the minimum there. It reports
// whether there was any way down.
func (p *problem) search(ctx context.Context, penalty float64, gradient, direction []float64, fresh bool) (moved bool, err error) {
	downhill := floats.Dot(gradient, direction)
	if !(downhill < 0) {
		return false, nil
	}
	if err := p.project(ctx, direction); err != nil {
		return false, err
	}
	t, ok := p.along(penalty, direction, fresh)
	if !ok {
		return false, nil
	}
	p.margin.advance(t)
	floats.AddScaled(p.x, t, direction)
	return true, nil
}

// project sets the margin's dz to the change of the logits along a direction.
func (p *problem) project(ctx context.Context, direction []float64) error {
	line := p.line.Float32()
	for i, v := range p.weights(direction) {
		line[i] = float32(v)
	}
	product, err := multiply(ctx, p.forward, p.features, p.line)
	if err != nil {
		return err
	}
	defer product.Close()
	b := p.intercepts(direction)
	for i, v := range product.Float32() {
		p.margin.dz[i] = v + float32(b[i%p.k])
	}
	return nil
}

// along returns how far to go along a direction whose dz is set: the root of
// the slope, by Newton's method within a bracket. A fresh direction has no
// length of its own; others are tried as they are first.
func (p *problem) along(penalty float64, direction []float64, fresh bool) (t float64, ok bool) {
	w, d := p.weights(p.x), p.weights(direction)
	wd, dd := floats.Dot(w, d), floats.Dot(d, d)
	look := func(t float64) slope {
		s := p.margin.at(t, nil)
		s.value += penalty * (t*wd + t*t/2*dd)
		s.first += penalty * (wd + t*dd)
		s.second += penalty * dd
		return s
	}
	start := look(0)
	if !(start.first < 0) {
		return 0, false
	}
	low, high := 0.0, math.Inf(1)
	t = 1
	if fresh && start.second > 0 {
		t = -start.first / start.second
	}
	for range searchLooks {
		here := look(t)
		if here.value <= start.value && math.Abs(here.first) <= -searchSlope*start.first {
			return t, true
		}
		if here.first > 0 || math.IsNaN(here.first) {
			high = t
		} else {
			low = t
		}
		next := t - here.first/here.second
		if !(next > low && next < high) {
			if next = 2 * t; high < math.Inf(1) {
				next = (low + high) / 2
			}
		}
		t = next
	}
	return low, low > 0
}

// rescale moves x to the best multiple of its weights, which is most of the
// way when the penalty has changed, and needs no product: the weights' part of
// the logits is known.
func (p *problem) rescale(penalty float64) {
	w := p.weights(p.x)
	if floats.Norm(w, math.Inf(1)) == 0 {
		return
	}
	direction := make([]float64, len(p.x))
	copy(direction, w)
	b := p.intercepts(p.x)
	for i, z := range p.margin.z {
		p.margin.dz[i] = z - float32(b[i%p.k])
	}
	sign := 1.0
	t, ok := p.along(penalty, direction, true)
	if !ok { // shorter is better
		sign = -1
		floats.Scale(sign, direction)
		for i := range p.margin.dz {
			p.margin.dz[i] *= -1
		}
		if t, ok = p.along(penalty, direction, true); !ok {
			return
		}
	}
	p.margin.advance(t)
	floats.AddScaled(p.x, t, direction)
}

// refresh computes the logits at x anew, without what rounding added up to on
// the way.
func (p *problem) refresh(ctx context.Context) error {
	if err := p.project(ctx, p.x); err != nil {
		return err
	}
	copy(p.margin.z, p.margin.dz)
	return nil
}
