// Package head trains the part of a classifier after the cut: a multinomial
// logistic regression on standardised bottlenecks. The problem is convex, so
// the solution depends only on the data: there is no learning rate, seed or
// number of epochs to choose.
//
//	minimise over W, b:  Σᵢ wᵢ·(−log softmax(W·xᵢ + b)[yᵢ]) / Σᵢ wᵢ  +  λ/2·‖W‖²
//
// gonum's L-BFGS gives the directions, libtensorflow the products with the
// features (see solve), a sweep with warm starts finds λ (see Train), and
// temperature scaling calibrates the probabilities. Everything is folded into
// one small network (see Model.Network).
package head

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"tkit/internal/evaluation"
)

// A Set is labelled bottlenecks.
type Set struct {
	// Features holds a row of Dim numbers for each example, concatenated.
	Features []float32
	Dim      int
	// Labels holds each example's class, below the number of classes.
	Labels []int
	// Groups, if not nil, holds for each example a number shared by all
	// variants of the same image: cross-validation never learns from one and
	// evaluates on another.
	Groups []int
}

// Len returns the number of examples.
func (s Set) Len() int { return len(s.Labels) }

// Row returns the bottleneck of example i.
func (s Set) Row(i int) []float32 { return s.Features[i*s.Dim : (i+1)*s.Dim] }

// Select returns copies of the rows of the given examples.
func (s Set) Select(indices []int) Set {
	picked := Set{Dim: s.Dim, Features: make([]float32, 0, len(indices)*s.Dim), Labels: make([]int, 0, len(indices))}
	for _, i := range indices {
		picked.Features = append(picked.Features, s.Row(i)...)
		picked.Labels = append(picked.Labels, s.Labels[i])
		if s.Groups != nil {
			picked.Groups = append(picked.Groups, s.Groups[i])
		}
	}
	return picked
}

// join returns the examples of both sets, without their groups, which only
// matter for cross-validation.
func (s Set) join(t Set) Set {
	return Set{Dim: s.Dim, Features: slices.Concat(s.Features, t.Features), Labels: slices.Concat(s.Labels, t.Labels)}
}

func (s Set) validate(name string, classes int) error {
	if s.Dim <= 0 || len(s.Features) != s.Len()*s.Dim {
		return fmt.Errorf("head: %s: %d numbers for %d examples of width %d", name, len(s.Features), s.Len(), s.Dim)
	}
	if s.Groups != nil && len(s.Groups) != s.Len() {
		return fmt.Errorf("head: %s: %d groups for %d examples", name, len(s.Groups), s.Len())
	}
	for i, y := range s.Labels {
		if y < 0 || y >= classes {
			return fmt.Errorf("head: %s: example %d has class %d of %d", name, i, y, classes)
		}
	}
	for i, x := range s.Features {
		if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("head: %s: the bottleneck of example %d holds %v at %d: check the base and its preprocessing", name, i/s.Dim, x, i%s.Dim)
		}
	}
	return nil
}

// Options configures training. The zero value selects the defaults.
type Options struct {
	// Penalties are the values of λ to choose from, in any order; nil means
	// DefaultPenalties. A single value is used directly.
	Penalties []float64
	// Full tries every penalty. Otherwise the sweep, which runs from the
	// strongest penalty to the weakest, ends once the held-out loss has risen
	// twice in a row.
	Full bool
	// Folds is the number of parts for cross-validation if there is no
	// validation set, at least 2; 0 means 5. It is limited to the number of
	// examples of the smallest class.
	Folds int
	// Balanced weights examples so that every class has the same weight.
	Balanced bool
	// Tolerance is the relative distance of the objective from its minimum; 0
	// means 1e-5.
	Tolerance float64
	// MaxIterations bounds each solution; 0 means 1000.
	MaxIterations int
	// Threads is the number of threads of the products; 0 is one for each
	// core.
	Threads int
	// Progress, if set, is called for every solution.
	Progress func(done, total int)
}

// DefaultPenalties are half a decade apart. With standardised features the
// strongest reduces hundreds of dimensions to nearly nothing, and the weakest
// allows a separable set to be separated.
func DefaultPenalties() []float64 {
	var penalties []float64
	for e := 2; e >= -8; e-- {
		penalties = append(penalties, math.Pow(10, float64(e)/2))
	}
	return penalties
}

func (o Options) withDefaults() (Options, error) {
	o.Penalties = slices.Clone(o.Penalties)
	if len(o.Penalties) == 0 {
		o.Penalties = DefaultPenalties()
	}
	slices.SortFunc(o.Penalties, func(a, b float64) int { // strongest first
		switch {
		case a > b:
			return -1
		case a < b:
			return 1
		}
		return 0
	})
	for _, p := range o.Penalties {
		if !(p > 0) || math.IsInf(p, 0) {
			return o, fmt.Errorf("head: penalty %v is not a positive number", p)
		}
	}
	if o.Folds == 0 {
		o.Folds = 5
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-5
	}
	if o.MaxIterations == 0 {
		o.MaxIterations = 1000
	}
	switch {
	case o.Folds < 2:
		return o, fmt.Errorf("head: %d folds, need at least 2", o.Folds)
	case !(o.Tolerance > 0):
		return o, fmt.Errorf("head: tolerance %v is not a positive number", o.Tolerance)
	case o.MaxIterations < 0 || o.Threads < 0:
		return o, errors.New("head: negative number of iterations or threads")
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	return o, nil
}

// A Result is a trained head with details of its training.
type Result struct {
	Model *Model
	// Penalty is the chosen λ.
	Penalty float64
	// Trials are the penalties tried, strongest first; empty if there was no
	// choice.
	Trials []Trial
	// HeldOut are the predictions used to choose the penalty and fit the
	// temperature, each by a head that was not trained on the example; nil if
	// no example could be held out, and the temperature is then 1.
	HeldOut *evaluation.Predictions
	// Folds is the number of parts of the cross-validation; 0 if there was a
	// validation set or nothing was held out.
	Folds int
	// Objective is the minimum reached by the final solution.
	Objective float64
	// Iterations is the number of iterations of the final solution.
	Iterations int
}

// A Trial is the result of one penalty on the held-out examples.
type Trial struct {
	Penalty float64 `json:"penalty"`
	// Loss is the mean negative log-likelihood after the best temperature.
	Loss        float64 `json:"loss"`
	Accuracy    float64 `json:"accuracy"`
	Temperature float64 `json:"temperature"`
	// Objective is the minimum reached, and Iterations the number of
	// iterations; for a cross-validation, the mean and the sum over the folds.
	Objective  float64 `json:"objective"`
	Iterations int     `json:"iterations"`
}

// Train finds the head for the training set. The penalty is the one with the
// smallest loss on the validation set, after its best temperature; with an
// empty validation set the loss is that of stratified cross-validation on the
// training set. The head is then trained on both sets together.
//
// Labels name the classes. Each needs at least one training example.
func Train(ctx context.Context, train, validation Set, labels []string, o Options) (*Result, error) {
	t, err := newTrainer(train, validation, labels, o)
	if err != nil {
		return nil, err
	}
	defer t.close()
	return t.train(ctx)
}

// ErrNothingHeldOut is the error of Assess if each class has one example.
var ErrNothingHeldOut = errors.New("no example can be held out: each class has one")

// Assess returns the result of Train's choice on the held-out examples, without
// the final head: a way to compare features.
func Assess(ctx context.Context, train, validation Set, labels []string, o Options) (Trial, error) {
	t, err := newTrainer(train, validation, labels, o)
	if err != nil {
		return Trial{}, err
	}
	defer t.close()
	if len(t.parts) == 0 {
		return Trial{}, fmt.Errorf("head: %w", ErrNothingHeldOut)
	}
	c, err := t.choose(ctx)
	if err != nil {
		return Trial{}, err
	}
	return c.trials[c.best], nil
}

// check returns the first problem of the arguments.
func check(train, validation Set, labels []string) error {
	if len(labels) < 2 {
		return fmt.Errorf("head: %d classes, need at least 2", len(labels))
	}
	if err := train.validate("training set", len(labels)); err != nil {
		return err
	}
	if validation.Dim != train.Dim {
		return fmt.Errorf("head: the validation set's bottlenecks have width %d, the training set's %d", validation.Dim, train.Dim)
	}
	if err := validation.validate("validation set", len(labels)); err != nil {
		return err
	}
	for class, n := range counts(train.Labels, len(labels)) {
		if n == 0 {
			return fmt.Errorf("head: class %q has no training example", labels[class])
		}
	}
	return nil
}

// counts returns the number of examples of each class.
func counts(labels []int, classes int) []int {
	n := make([]int, classes)
	for _, y := range labels {
		n[y]++
	}
	return n
}
