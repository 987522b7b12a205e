package head

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"

	"tkit/internal/tensorflow"
)

// promised is the fraction of the tolerance that the quadratic model's estimate
// must be below.
const promised = 0.3

// memory is the number of past steps from which L-BFGS estimates the curvature.
const memory = 10

// A problem is one convex problem over fixed features, whose penalty may be
// changed between solutions: each starts from the previous one.
type problem struct {
	*multiplier
	features *tensorflow.Tensor // [n, d]
	n, d, k  int
	penalty  float64
	// x holds the weights [k, d], then the intercepts [k] in a different unit:
	// the curvature along an intercept is the mean of p(1−p), about 1/k, which
	// makes the intercepts by far the flattest directions and the last to
	// converge. In units of √k they converge with the rest, in half the
	// iterations.
	x    []float64
	unit float64
	// margin's z is the logits at x, residual the gradient with respect to
	// them, value the objective.
	margin   margin
	residual *tensorflow.Tensor // [n, k]
	value    float64
	line     *tensorflow.Tensor // [k, d], the weights of a direction
}

// newProblem starts at zero weights. The features remain the caller's.
func newProblem(m *multiplier, features *tensorflow.Tensor, truth []int, weight []float64, classes int) (*problem, error) {
	shape := features.Shape()
	p := &problem{multiplier: m, features: features, n: int(shape[0]), d: int(shape[1]), k: classes, unit: math.Sqrt(float64(classes))}
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

// intercepts returns the rest of it, in the unit of the intercepts.
func (p *problem) intercepts(v []float64) []float64 { return v[p.k*p.d:] }

// start moves x to the solution of a problem of the same dimensions.
func (p *problem) start(ctx context.Context, x []float64) error {
	copy(p.x, x)
	return p.refresh(ctx)
}

// biases returns the intercepts at x in the unit of the logits.
func (p *problem) biases() []float64 {
	b := slices.Clone(p.intercepts(p.x))
	floats.Scale(p.unit, b)
	return b
}

// solve moves x to the minimum for the penalty and returns the objective and
// the number of iterations.
//
// The directions are those of L-BFGS (Liu and Nocedal, "On the limited memory
// BFGS method for large scale optimization", Mathematical Programming 45,
// 1989), computed by gonum. The line search is this package's own: a Newton
// iteration on the margin, so that an iteration costs two products with the
// features however often the loss is evaluated.
//
// The tolerance is relative to the objective, because a bound on the gradient
// would have a different meaning for each penalty. The remaining distance is
// estimated in two ways. The quadratic model's estimate is ½·gᵀH⁻¹g; it must be
// small twice in a row and by a margin, because L-BFGS knows only part of H.
// And the penalty makes the objective strongly convex in the weights, so that
// at most ‖g‖²/2λ remains once the intercepts have converged.
func (p *problem) solve(ctx context.Context, penalty, tolerance float64, maxIterations int) (objective float64, iterations int, err error) {
	p.penalty = penalty
	p.look()
	p.rescale()
	location := &optimize.Location{X: p.x, Gradient: make([]float64, len(p.x))}
	direction := make([]float64, len(p.x))
	method := &optimize.LBFGS{Store: memory}
	fresh := true // the method has been reset
	close := 0    // how often in a row the estimate was small
	for iterations < maxIterations {
		if err := p.gradient(ctx, location.Gradient); err != nil {
			return 0, 0, err
		}
		if fresh {
			method.InitDirection(location, direction)
		} else {
			method.NextDirection(location, direction)
		}
		downhill := floats.Dot(location.Gradient, direction)
		if close++; fresh || -downhill/2 > promised*tolerance*p.value {
			close = 0
		}
		if g := location.Gradient; close == 2 || floats.Dot(g, g)/(2*penalty) <= tolerance*p.value {
			break
		}
		before := p.value
		if downhill < 0 {
			if err := p.project(ctx, direction); err != nil {
				return 0, 0, err
			}
			p.search(direction, downhill, fresh)
			iterations++
		}
		if p.value < before {
			fresh = false
			continue
		}
		if fresh { // not even steepest descent improves: float32 resolves no more
			break
		}
		fresh = true
	}
	if err := p.refresh(ctx); err != nil {
		return 0, 0, err
	}
	return p.value, iterations, nil
}

// look computes value and residual at x.
func (p *problem) look() {
	w := p.weights(p.x)
	p.value = p.margin.at(0, p.residual.Float32()).value + p.penalty/2*floats.Dot(w, w)
}

// gradient writes the gradient at x.
func (p *problem) gradient(ctx context.Context, gradient []float64) error {
	product, err := multiply(ctx, p.backward, p.residual, p.features)
	if err != nil {
		return err
	}
	defer product.Close()
	w, g := p.weights(p.x), p.weights(gradient)
	for i, v := range product.Float32() {
		g[i] = float64(v) + p.penalty*w[i]
	}
	b := p.intercepts(gradient)
	clear(b)
	residual := p.residual.Float32()
	for i := range p.n {
		for c, r := range residual[i*p.k : (i+1)*p.k] {
			b[c] += p.unit * float64(r)
		}
	}
	return nil
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
	b, change := p.intercepts(direction), product.Float32()
	for i := range p.n {
		dz := p.margin.dz[i*p.k : (i+1)*p.k]
		for c, v := range change[i*p.k : (i+1)*p.k] {
			dz[c] = v + float32(p.unit*b[c])
		}
	}
	return nil
}

// A line search ends when the slope is this fraction of the initial slope, or
// after the given number of evaluations.
const (
	searchSlope = 0.1
	searchLooks = 20
)

// search moves x along a direction, whose dz is set and whose slope at x is
// downhill, to approximately the minimum: the root of the slope, by Newton's
// method within a bracket. A fresh direction has no natural step length; for
// others a step of 1 is tried first. x stays if no better point is found.
func (p *problem) search(direction []float64, downhill float64, fresh bool) {
	w, d := p.weights(p.x), p.weights(direction)
	wd, dd, ww := floats.Dot(w, d), floats.Dot(d, d), floats.Dot(w, w)
	look := func(t float64) slope {
		s := p.margin.at(t, p.residual.Float32())
		s.value += p.penalty / 2 * (ww + 2*t*wd + t*t*dd)
		s.first += p.penalty * (wd + t*dd)
		s.second += p.penalty * dd
		return s
	}
	low, high, t := 0.0, math.Inf(1), 1.0
	if fresh {
		t = -downhill / look(0).second
	}
	for range searchLooks {
		here := look(t)
		if here.value <= p.value && math.Abs(here.first) <= -searchSlope*downhill {
			p.margin.advance(t)
			floats.AddScaled(p.x, t, direction)
			p.value = here.value
			return
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
	p.look()
}

// rescale moves x to the best multiple of its weights, which is most of the
// distance when the penalty has changed, and needs no product: the weights'
// part of the logits is known.
func (p *problem) rescale() {
	w := p.weights(p.x)
	ww := floats.Dot(w, w)
	if ww == 0 {
		return
	}
	direction := make([]float64, len(p.x))
	copy(direction, w)
	b := p.biases()
	for i, z := range p.margin.z {
		p.margin.dz[i] = z - float32(b[i%p.k])
	}
	downhill := p.margin.at(0, p.residual.Float32()).first + p.penalty*ww
	if downhill > 0 { // shorter is better
		downhill = -downhill
		floats.Scale(-1, direction)
		for i := range p.margin.dz {
			p.margin.dz[i] *= -1
		}
	}
	p.search(direction, downhill, true)
}

// refresh recomputes logits, residual and value at x, without accumulated
// rounding errors.
func (p *problem) refresh(ctx context.Context) error {
	if err := p.project(ctx, p.x); err != nil {
		return err
	}
	copy(p.margin.z, p.margin.dz)
	p.look()
	return nil
}
