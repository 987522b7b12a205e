package head

import (
	"context"
	"fmt"
	"math"
	"slices"

	"tkit/internal/evaluation"
	"tkit/internal/tensorflow"
)

// uninformed is the penalty used if several are allowed but no example can be
// held out, because each class has one.
const uninformed = 1.0

// worse is how many times in a row the held-out loss may rise before a sweep
// towards weaker penalties ends.
const worse = 2

// A trainer is the state of one call of Train or Assess.
type trainer struct {
	Options
	*multiplier
	labels []string
	all    Set    // the examples for the final head
	parts  []part // the examples for choosing the penalty
	folds  int    // the number of parts of a cross-validation
	done   int    // solutions found
	total  int    // maximum number of solutions
}

// newTrainer checks the arguments. The caller closes the trainer.
func newTrainer(train, validation Set, labels []string, o Options) (*trainer, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if validation.Len() == 0 {
		validation = Set{Dim: train.Dim}
	}
	if err := check(train, validation, labels); err != nil {
		return nil, err
	}
	t := &trainer{Options: o, labels: labels, all: train}
	if validation.Len() > 0 {
		t.all = train.join(validation)
		t.parts = []part{{train, validation}}
	} else {
		t.parts = crossValidation(train, len(labels), t.Folds)
		t.folds = len(t.parts)
	}
	t.total = len(t.parts)*len(t.Penalties) + 1
	t.multiplier, err = newMultiplier(t.Threads)
	return t, err
}

func (t *trainer) train(ctx context.Context) (*Result, error) {
	r := &Result{Penalty: uninformed, Folds: t.folds}
	if len(t.Penalties) == 1 {
		r.Penalty = t.Penalties[0]
	}
	temperature := 1.0
	var solution []float64
	if len(t.parts) > 0 {
		c, err := t.choose(ctx)
		if err != nil {
			return nil, err
		}
		best := c.trials[c.best]
		r.Penalty, r.Trials, r.HeldOut = best.Penalty, c.trials, &c.held
		temperature, solution = best.Temperature, c.solution
	}
	s, err := newSweep(ctx, t.multiplier, t.all, len(t.labels), t.Options)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if len(solution) == len(s.problem.x) {
		if err := s.problem.start(ctx, solution); err != nil {
			return nil, err
		}
	}
	if r.Model, r.Objective, r.Iterations, err = t.solve(ctx, s, r.Penalty); err != nil {
		return nil, err
	}
	r.Model.Temperature = temperature
	t.Progress(t.total, t.total)
	return r, nil
}

// solve runs one solution and counts it.
func (t *trainer) solve(ctx context.Context, s *sweep, penalty float64) (*Model, float64, int, error) {
	model, objective, iterations, err := s.solve(ctx, penalty)
	if err != nil {
		return nil, 0, 0, err
	}
	t.done++
	t.Progress(t.done, t.total)
	return model, objective, iterations, nil
}

// A part is examples to learn from and others to evaluate on.
type part struct{ learn, judge Set }

// A candidate is a part with its sweep over the penalties.
type candidate struct {
	*sweep
	judge *tensorflow.Tensor
}

// A choice is the result of the held-out examples.
type choice struct {
	trials []Trial // strongest penalty first
	best   int     // the trial of the smallest loss
	held   evaluation.Predictions
	// solution is the solution of a single part at the best penalty, a good
	// start for the same problem with the held-out examples added.
	solution []float64
}

// choose tries the penalties on all parts in parallel.
func (t *trainer) choose(ctx context.Context) (c choice, err error) {
	var candidates []*candidate
	defer func() {
		for _, candidate := range candidates {
			candidate.close()
			if candidate.judge != nil {
				candidate.judge.Close()
			}
		}
	}()
	held := evaluation.Predictions{Labels: t.labels}
	for _, p := range t.parts {
		s, err := newSweep(ctx, t.multiplier, p.learn, len(t.labels), t.Options)
		if err != nil {
			return c, err
		}
		next := &candidate{sweep: s}
		candidates = append(candidates, next)
		if next.judge, err = tensorflow.FromFloat32([]int64{int64(p.judge.Len()), int64(p.judge.Dim)}, p.judge.Features); err != nil {
			return c, fmt.Errorf("head: %w", err)
		}
		held.Truth = append(held.Truth, p.judge.Labels...)
	}
	least, rises, before := math.Inf(1), 0, math.Inf(1)
	for _, penalty := range t.Penalties {
		trial := Trial{Penalty: penalty}
		if held.Logits, err = t.try(ctx, candidates, &trial); err != nil {
			return c, err
		}
		if err := trial.judge(held); err != nil {
			return c, err
		}
		c.trials = append(c.trials, trial)
		if trial.Loss < least {
			least, c.best, c.held = trial.Loss, len(c.trials)-1, held
			if len(candidates) == 1 && candidates[0].basis == nil {
				c.solution = slices.Clone(candidates[0].problem.x)
			}
		}
		if trial.Loss < before {
			rises = 0
		} else if rises++; rises >= worse && !t.Full {
			break
		}
		before = trial.Loss
	}
	return c, nil
}

// try solves a trial's penalty on all parts and returns the logits of the
// held-out examples.
func (t *trainer) try(ctx context.Context, candidates []*candidate, trial *Trial) ([]float32, error) {
	var held []float32
	for _, c := range candidates {
		model, objective, iterations, err := t.solve(ctx, c.sweep, trial.Penalty)
		if err != nil {
			return nil, err
		}
		trial.Objective += objective / float64(len(candidates))
		trial.Iterations += iterations
		logits, err := model.logits(ctx, t.multiplier, c.judge)
		if err != nil {
			return nil, err
		}
		held = append(held, logits...)
	}
	return held, nil
}

// judge sets the loss and accuracy of the penalty's heads.
func (t *Trial) judge(held evaluation.Predictions) error {
	temperature, err := evaluation.FitTemperature(held)
	if err != nil {
		return fmt.Errorf("head: penalty %g: %w", t.Penalty, err)
	}
	e, err := evaluation.Evaluate(held, temperature)
	if err != nil {
		return fmt.Errorf("head: penalty %g: %w", t.Penalty, err)
	}
	t.Loss, t.Accuracy, t.Temperature = e.Calibrated.NLL, e.Accuracy.Value, temperature
	return nil
}
