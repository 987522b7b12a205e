// Package evaluation measures a classifier on a labelled set: its accuracy with
// confidence intervals, its results for each class, and the calibration of its
// probabilities.
//
// It computes only with logits and true labels and does not depend on images,
// TensorFlow or files, so that a registry can store the result and a page can
// show it.
package evaluation

import (
	"errors"
	"fmt"
	"math"
	"sort"
)

// Predictions are a classifier's outputs for a labelled set.
type Predictions struct {
	// Labels names the classes; their order is that of the logits.
	Labels []string
	// Truth holds each example's class, an index in Labels.
	Truth []int
	// Logits holds len(Truth) rows of len(Labels) unnormalised log
	// probabilities, one row after another, before any temperature.
	Logits []float32
}

func (p Predictions) validate() error {
	n, k := len(p.Truth), len(p.Labels)
	switch {
	case k < 2:
		return fmt.Errorf("evaluation: %d classes, need at least 2", k)
	case n == 0:
		return errors.New("evaluation: no examples to evaluate on")
	case len(p.Logits) != n*k:
		return fmt.Errorf("evaluation: %d logits for %d examples of %d classes", len(p.Logits), n, k)
	}
	for i, t := range p.Truth {
		if t < 0 || t >= k {
			return fmt.Errorf("evaluation: example %d has class %d of %d", i, t, k)
		}
	}
	for i, z := range p.Logits {
		if f := float64(z); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("evaluation: example %d has a logit of %v", i/k, z)
		}
	}
	return nil
}

// row returns the logits of example i.
func (p Predictions) row(i int) []float32 {
	k := len(p.Labels)
	return p.Logits[i*k : (i+1)*k]
}

// An Evaluation is the result for one labelled set. It contains no NaN, so that
// it can always be encoded as JSON.
type Evaluation struct {
	// Examples is the number of examples evaluated.
	Examples int `json:"examples"`
	// Accuracy is the share of examples whose likeliest class is the true one.
	Accuracy Proportion `json:"accuracy"`
	// Top5 is the share of examples whose true class is among the five
	// likeliest. It is nil for five classes or fewer, because it would always
	// be 1.
	Top5 *Proportion `json:"top5,omitempty"`
	// BalancedAccuracy is the mean recall of the classes that occur.
	BalancedAccuracy float64 `json:"balanced_accuracy"`
	// MacroF1 is the mean F1 of the classes that occur.
	MacroF1 float64 `json:"macro_f1"`
	// Temperature is the divisor of the logits for Calibrated.
	Temperature float64 `json:"temperature"`
	// Uncalibrated and Calibrated measure the probabilities at temperature 1
	// and at Temperature.
	Uncalibrated Calibration `json:"uncalibrated"`
	Calibrated   Calibration `json:"calibrated"`
	// Classes has one entry per label, in the order of the labels.
	Classes []Class `json:"classes"`
	// Confusion lists the non-zero cells of the confusion matrix, by truth,
	// then prediction: a matrix of a thousand classes is mostly empty.
	Confusion []Cell `json:"confusion"`
}

// A Class is the result for one class.
type Class struct {
	Label string `json:"label"`
	// Support is the number of examples of the class, Predicted the number of
	// examples predicted to be of the class.
	Support   int `json:"support"`
	Predicted int `json:"predicted"`
	// Precision, Recall and F1 are 0 if their denominator is.
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// A Cell counts the examples of class Truth that were predicted as Predicted.
// Both are indices in Evaluation.Classes.
type Cell struct {
	Truth     int `json:"truth"`
	Predicted int `json:"predicted"`
	Count     int `json:"count"`
}

// Evaluate evaluates predictions whose logits are divided by temperature. Ties
// go to the first class, as in TensorFlow's ArgMax.
func Evaluate(p Predictions, temperature float64) (*Evaluation, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	if !(temperature > 0) || math.IsInf(temperature, 0) {
		return nil, fmt.Errorf("evaluation: temperature %v is not a positive number", temperature)
	}
	k := len(p.Labels)
	e := &Evaluation{
		Examples:     len(p.Truth),
		Temperature:  temperature,
		Uncalibrated: calibration(p, 1),
		Calibrated:   calibration(p, temperature),
		Classes:      make([]Class, k),
	}
	right, among5 := 0, 0
	cells := map[[2]int]int{}
	for i, t := range p.Truth {
		row := p.row(i)
		if place(row, t) < 5 {
			among5++
		}
		guess := argmax(row)
		if guess == t {
			right++
		}
		e.Classes[t].Support++
		e.Classes[guess].Predicted++
		cells[[2]int{t, guess}]++
	}
	e.Accuracy = newProportion(right, e.Examples)
	if k > 5 {
		top5 := newProportion(among5, e.Examples)
		e.Top5 = &top5
	}
	e.fillClasses(p.Labels, cells)
	for cell, count := range cells {
		e.Confusion = append(e.Confusion, Cell{cell[0], cell[1], count})
	}
	sort.Slice(e.Confusion, func(i, j int) bool {
		a, b := e.Confusion[i], e.Confusion[j]
		if a.Truth != b.Truth {
			return a.Truth < b.Truth
		}
		return a.Predicted < b.Predicted
	})
	return e, nil
}

// fillClasses completes the classes after their supports were counted, and the
// means over the classes that occur.
func (e *Evaluation) fillClasses(labels []string, cells map[[2]int]int) {
	occurring := 0
	for i := range e.Classes {
		c := &e.Classes[i]
		c.Label = labels[i]
		hits := float64(cells[[2]int{i, i}])
		if c.Predicted > 0 {
			c.Precision = hits / float64(c.Predicted)
		}
		if c.Support > 0 {
			c.Recall = hits / float64(c.Support)
		}
		if both := c.Support + c.Predicted; both > 0 {
			c.F1 = 2 * hits / float64(both)
		}
		if c.Support > 0 {
			occurring++
			e.BalancedAccuracy += c.Recall
			e.MacroF1 += c.F1
		}
	}
	e.BalancedAccuracy /= float64(occurring)
	e.MacroF1 /= float64(occurring)
}

// argmax returns the index of the largest value, the first among equals.
func argmax(row []float32) int {
	best := 0
	for i, z := range row {
		if z > row[best] {
			best = i
		}
	}
	return best
}

// place returns the number of classes before class t when sorted by likelihood,
// ties in the order of the labels.
func place(row []float32, t int) int {
	before := 0
	for i, z := range row {
		if z > row[t] || z == row[t] && i < t {
			before++
		}
	}
	return before
}

// A Proportion is a share of successes with its 95 % confidence interval.
type Proportion struct {
	Successes int     `json:"successes"`
	Trials    int     `json:"trials"`
	Value     float64 `json:"value"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
}

// z95 is the standard normal distribution's 97.5 % point.
const z95 = 1.959963984540054

// newProportion returns successes/trials with the score interval of Wilson
// ("Probable inference, the law of succession, and statistical inference", JASA
// 22, 1927), which keeps its coverage for few trials and for shares near 0 or
// 1, where the usual interval has zero width. Without trials the interval is
// [0, 1].
func newProportion(successes, trials int) Proportion {
	if trials <= 0 {
		return Proportion{High: 1}
	}
	n := float64(trials)
	share := float64(successes) / n
	const z2 = z95 * z95
	centre := (share + z2/(2*n)) / (1 + z2/n)
	half := z95 / (1 + z2/n) * math.Sqrt(share*(1-share)/n+z2/(4*n*n))
	return Proportion{
		Successes: successes,
		Trials:    trials,
		Value:     share,
		Low:       max(0, min(centre-half, share)),
		High:      min(1, max(centre+half, share)),
	}
}
