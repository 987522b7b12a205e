package head

import (
	"context"
	"fmt"
	"math"
	"slices"

	"tkit/internal/evaluation"
	"tkit/internal/tensorflow"
)

// uninformed is the penalty where several are allowed but no example can be
// held out to choose by: each class has one.
const uninformed = 1.0

// worse is how many times in a row the held-out loss may rise before a sweep
// towards weaker penalties ends.
const worse = 2

// A trainer is one call of Train.
type trainer struct {
	Options
	*multiplier
	labels  []string
	classes int
	done    int // solutions found
	total   int // solutions expected at most
}

func (t *trainer) train(ctx context.Context, train, validation Set) (_ *Result, err error) {
	if t.multiplier, err = newMultiplier(t.Threads); err != nil {
		return nil, err
	}
	defer t.close()

	parts := []part{{train, validation}}
	folds := 0
	if validation.Len() == 0 {
		parts = crossValidation(train, t.classes, t.Folds)
		folds = len(parts)
	}
	r := &Result{Penalty: uninformed, Folds: folds}
	if len(t.Penalties) == 1 {
		r.Penalty = t.Penalties[0]
	}
	t.total = len(parts)*len(t.Penalties) + 1
	c := choice{temperature: 1}
	if len(parts) > 0 {
		if c, err = t.choose(ctx, parts, r); err != nil {
			return nil, err
		}
	}
	if validation.Len() > 0 {
		train = train.join(validation)
	}
	s, err := newSweep(ctx, t.multiplier, train, t.classes, t.Options)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if len(c.solution) == len(s.problem.x) {
		if err := s.problem.start(ctx, c.solution); err != nil {
			return nil, err
		}
	}
	if r.Model, r.Objective, r.Iterations, err = t.solve(ctx, s, r.Penalty); err != nil {
		return nil, err
	}
	r.Model.Temperature = c.temperature
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

// A part is examples to learn from and others to judge what was learnt.
type part struct{ learn, judge Set }

// A candidate is a part on its way through the penalties.
type candidate struct {
	*sweep
	judge *tensorflow.Tensor
}

// A choice is what the held-out examples said, besides the penalty.
type choice struct {
	temperature float64
	// solution is where a single part's problem stood at the chosen penalty,
	// near to that of the same problem with the examples that judged.
	solution []float64
}

// choose fills in the penalty, the trials and the held-out predictions.
func (t *trainer) choose(ctx context.Context, parts []part, r *Result) (best choice, err error) {
	var candidates []*candidate
	defer func() {
		for _, c := range candidates {
			c.close()
			if c.judge != nil {
				c.judge.Close()
			}
		}
	}()
	held := evaluation.Predictions{Labels: t.labels}
	for _, p := range parts {
		s, err := newSweep(ctx, t.multiplier, p.learn, t.classes, t.Options)
		if err != nil {
			return best, err
		}
		c := &candidate{sweep: s}
		candidates = append(candidates, c)
		if c.judge, err = tensorflow.FromFloat32([]int64{int64(p.judge.Len()), int64(p.judge.Dim)}, p.judge.Features); err != nil {
			return best, fmt.Errorf("head: %w", err)
		}
		held.Truth = append(held.Truth, p.judge.Labels...)
	}
	least, rises, before := math.Inf(1), 0, math.Inf(1)
	for _, penalty := range t.Penalties {
		held.Logits = nil
		trial := Trial{Penalty: penalty}
		for _, c := range candidates {
			model, objective, iterations, err := t.solve(ctx, c.sweep, penalty)
			if err != nil {
				return best, err
			}
			trial.Objective += objective / float64(len(candidates))
			trial.Iterations += iterations
			logits, err := model.logits(ctx, t.multiplier, c.judge)
			if err != nil {
				return best, err
			}
			held.Logits = append(held.Logits, logits...)
		}
		if err := trial.judge(held); err != nil {
			return best, err
		}
		r.Trials = append(r.Trials, trial)
		if trial.Loss < least {
			chosen := held
			least, r.Penalty, r.HeldOut = trial.Loss, penalty, &chosen
			best.temperature = trial.Temperature
			if len(candidates) == 1 && candidates[0].basis == nil {
				best.solution = slices.Clone(candidates[0].problem.x)
			}
		}
		if trial.Loss < before {
			rises = 0
		} else if rises++; rises >= worse && !t.Full {
			break
		}
		before = trial.Loss
	}
	return best, nil
}

// judge fills in what the predictions of the penalty's heads are worth.
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
