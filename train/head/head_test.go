package head

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"

	"tkit/internal/tensorflow"
)

// blobs returns n examples of overlapping classes, with correlated features of
// very different scales, one of them constant.
func blobs(n, dim, classes int, seed uint64) (Set, []string) {
	rng := rand.New(rand.NewPCG(7, 7))
	centres := make([]float64, classes*dim)
	for i := range centres {
		centres[i] = rng.NormFloat64()
	}
	labels := make([]string, classes)
	for c := range labels {
		labels[c] = string(rune('a' + c))
	}
	rng = rand.New(rand.NewPCG(7, seed))
	s := Set{Dim: dim}
	for i := range n {
		class := i % classes
		s.Labels = append(s.Labels, class)
		common := rng.NormFloat64()
		for j := range dim {
			v := centres[class*dim+j] + 2*rng.NormFloat64() + common
			switch j {
			case 0:
				v = 5
			case 1:
				v = 100*v + 3000
			case 2:
				v *= 1e-3
			}
			s.Features = append(s.Features, float32(v))
		}
	}
	return s, labels
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func train(t *testing.T, learn, judge Set, labels []string, o Options) *Result {
	t.Helper()
	r, err := Train(t.Context(), learn, judge, labels, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// objective computes in float64, from the folded model on raw features, what
// Train minimised.
func objective(m *Model, s Set, weight []float64, penalty float64) float64 {
	sc := newScaling(s)
	total := 0.0
	for i, y := range s.Labels {
		z := make([]float64, m.Classes)
		for c := range z {
			z[c] = float64(m.Intercepts[c])
			for j, v := range s.Row(i) {
				z[c] += float64(v) * float64(m.Weights[j*m.Classes+c])
			}
		}
		total += weight[i] * (floats.LogSumExp(z) - z[y])
	}
	for j, f := range sc.factor {
		for c := range m.Classes {
			if f > 0 {
				w := float64(m.Weights[j*m.Classes+c]) / f
				total += penalty / 2 * w * w
			} else if m.Weights[j*m.Classes+c] != 0 {
				return math.NaN()
			}
		}
	}
	return total
}

// The folded model attains the objective reported by the solver, and no nearby
// model attains a smaller one.
func TestSolutionIsTheMinimum(t *testing.T) {
	for _, c := range []struct {
		name     string
		n, dim   int
		balanced bool
	}{
		{"more examples than dimensions", 300, 20, false},
		{"fewer examples than dimensions", 30, 80, false},
		{"weighted", 100, 20, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, labels := blobs(c.n, c.dim, 4, 1)
			if c.balanced { // drop most of the first class
				s = s.Select(slices.DeleteFunc(indices(c.n), func(i int) bool { return i%4 == 0 && i > 40 }))
			}
			const penalty = .03
			r := train(t, s, Set{}, labels, Options{Penalties: []float64{penalty}, Tolerance: 1e-6, Balanced: c.balanced})
			weight := exampleWeights(s.Labels, 4, c.balanced)
			best := objective(r.Model, s, weight, penalty)
			near(t, "reported objective", r.Objective, best, 1e-5*best)
			rng := rand.New(rand.NewPCG(1, 1))
			for range 100 {
				m := *r.Model
				m.Weights, m.Intercepts = slices.Clone(m.Weights), slices.Clone(m.Intercepts)
				for i := range m.Weights {
					m.Weights[i] *= float32(1 + .03*rng.NormFloat64())
				}
				for i := range m.Intercepts {
					m.Intercepts[i] += float32(.03 * rng.NormFloat64())
				}
				if o := objective(&m, s, weight, penalty); o < best {
					t.Fatalf("a neighbour has the objective %v, the solution %v", o, best)
				}
			}
		})
	}
}

func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// The basis of the examples' span changes only the cost.
func TestReductionIsExact(t *testing.T) {
	s, labels := blobs(40, 81, 3, 2) // just reduced
	wide := Set{Dim: 79, Labels: s.Labels}
	narrow := Set{Dim: 79 + 2, Labels: s.Labels}
	for i := range s.Len() {
		row := s.Row(i)[:79]
		wide.Features = append(wide.Features, row...)
		narrow.Features = append(append(narrow.Features, row...), 3, 3) // constants: the same problem
	}
	o := Options{Penalties: []float64{.01}, Tolerance: 1e-6}
	direct, reduced := train(t, wide, Set{}, labels, o), train(t, narrow, Set{}, labels, o)
	near(t, "objective", reduced.Objective, direct.Objective, 1e-5*direct.Objective)
	for i, w := range direct.Model.Weights {
		if v := reduced.Model.Weights[i]; math.Abs(float64(v-w)) > 1e-3*(1+math.Abs(float64(w))) {
			t.Fatalf("weight %d is %v reduced, %v direct", i, v, w)
		}
	}
}

func TestPenaltyIsChosenOnTheValidationSet(t *testing.T) {
	learn, labels := blobs(160, 30, 4, 3)
	judge, _ := blobs(400, 30, 4, 4)
	test, _ := blobs(2000, 30, 4, 5)
	r := train(t, learn, judge, labels, Options{Full: true})
	if len(r.Trials) != len(DefaultPenalties()) || r.Folds != 0 {
		t.Fatalf("%d trials, %d folds", len(r.Trials), r.Folds)
	}
	for _, trial := range r.Trials {
		if trial.Loss < loss(r.Trials, r.Penalty) {
			t.Errorf("penalty %v has the loss %v, the chosen %v has %v", trial.Penalty, trial.Loss, r.Penalty, loss(r.Trials, r.Penalty))
		}
	}
	first, last := r.Trials[0], r.Trials[len(r.Trials)-1]
	if r.Penalty == last.Penalty || first.Loss <= loss(r.Trials, r.Penalty) {
		t.Errorf("penalty %v of noisy classes, trials %+v", r.Penalty, r.Trials)
	}
	if len(r.HeldOut.Truth) != judge.Len() {
		t.Errorf("%d held-out predictions for %d examples", len(r.HeldOut.Truth), judge.Len())
	}
	z, err := r.Model.Logits(t.Context(), test)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, y := range test.Labels {
		row := z[i*4 : i*4+4]
		if row[y] == slices.Max(row) {
			right++
		}
	}
	if share := float64(right) / float64(test.Len()); share < .75 {
		t.Errorf("accuracy %v on fresh examples", share)
	}
}

func loss(trials []Trial, penalty float64) float64 {
	for _, t := range trials {
		if t.Penalty == penalty {
			return t.Loss
		}
	}
	return math.NaN()
}

// Without Full the sweep stops when the loss rises, with the same choice.
func TestSweepStopsEarly(t *testing.T) {
	learn, labels := blobs(160, 30, 4, 3)
	judge, _ := blobs(400, 30, 4, 4)
	full, early := train(t, learn, judge, labels, Options{Full: true}), train(t, learn, judge, labels, Options{})
	if early.Penalty != full.Penalty || len(early.Trials) >= len(full.Trials) {
		t.Errorf("early: penalty %v after %d trials; full: %v after %d", early.Penalty, len(early.Trials), full.Penalty, len(full.Trials))
	}
}

func TestCrossValidation(t *testing.T) {
	s, labels := blobs(25, 60, 5, 6)
	done, total := 0, 0
	r := train(t, s, Set{}, labels, Options{Progress: func(d, of int) { done, total = d, of }})
	if r.Folds != 5 || len(r.HeldOut.Truth) != 25 || len(r.Trials) == 0 {
		t.Errorf("%d folds, %d held-out predictions, %d trials", r.Folds, len(r.HeldOut.Truth), len(r.Trials))
	}
	if done != total || total == 0 {
		t.Errorf("progress ends at %d of %d", done, total)
	}
	again := train(t, s, Set{}, labels, Options{})
	if !slices.Equal(r.Model.Weights, again.Model.Weights) {
		t.Error("the same data gave another head")
	}
}

func TestFolds(t *testing.T) {
	s := Set{Dim: 1}
	add := func(class int, features ...float32) {
		for _, f := range features {
			s.Features = append(s.Features, f)
			s.Labels = append(s.Labels, class)
		}
	}
	add(0, 1, 2, 3, 4, 1, 1) // three are the same image
	add(1, 5, 6, 7)
	add(2, 8) // alone: only learnt
	parts := crossValidation(s, 3, 5)
	if len(parts) != 3 {
		t.Fatalf("%d folds for a class of 3", len(parts))
	}
	judged := 0
	for _, p := range parts {
		judged += p.judge.Len()
		if p.learn.Len()+p.judge.Len() != s.Len() {
			t.Errorf("%d to learn, %d to judge, of %d", p.learn.Len(), p.judge.Len(), s.Len())
		}
		for _, f := range p.judge.Features {
			if slices.Contains(p.learn.Features, f) {
				t.Errorf("example %v is on both sides", f)
			}
		}
		if n := counts(p.judge.Labels, 3); n[1] != 1 || n[2] != 0 {
			t.Errorf("a fold judges %v of the classes", n)
		}
		if n := counts(p.learn.Labels, 3); slices.Contains(n, 0) {
			t.Errorf("a fold learns %v of the classes", n)
		}
	}
	if judged != 9 {
		t.Errorf("%d examples judged, want 9", judged)
	}
}

// Variants of one image, such as varied copies, are never on both sides.
func TestGroups(t *testing.T) {
	s, _ := blobs(24, 3, 2, 1)
	for i := range s.Len() {
		s.Groups = append(s.Groups, i/6) // 3 of each class in a group
	}
	for _, p := range crossValidation(s, 2, 4) {
		for _, g := range p.judge.Groups {
			if slices.Contains(p.learn.Groups, g) {
				t.Errorf("group %d is on both sides", g)
			}
		}
	}
}

func TestAssessIsTrainsChoice(t *testing.T) {
	s, labels := blobs(40, 30, 4, 3)
	r := train(t, s, Set{}, labels, Options{})
	trial, err := Assess(t.Context(), s, Set{}, labels, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if trial.Penalty != r.Penalty || !slices.Contains(r.Trials, trial) {
		t.Errorf("assessed %+v, trained with %v", trial, r.Penalty)
	}
}

// With one example per class nothing can be held out: the head is trained
// nevertheless, without calibration.
func TestOneExampleAClass(t *testing.T) {
	s, labels := blobs(3, 10, 3, 1)
	r := train(t, s, Set{}, labels, Options{})
	if _, err := Assess(t.Context(), s, Set{}, labels, Options{}); !errors.Is(err, ErrNothingHeldOut) {
		t.Errorf("error %v, want that nothing can be held out", err)
	}
	if r.HeldOut != nil || r.Trials != nil || r.Folds != 0 || r.Model.Temperature != 1 || r.Penalty != uninformed {
		t.Errorf("%+v", r)
	}
}

func TestDegenerateFeatures(t *testing.T) {
	t.Run("all constant", func(t *testing.T) {
		s := Set{Dim: 2, Features: []float32{1, 2, 1, 2, 1, 2, 1, 2}, Labels: []int{0, 0, 0, 1}}
		r := train(t, s, Set{}, []string{"a", "b"}, Options{Penalties: []float64{1}, Tolerance: 1e-6})
		if p := softmax(r.Model.Intercepts); math.Abs(p[0]-.75) > 1e-3 {
			t.Errorf("probabilities %v from shares 3 to 1", p)
		}
		for _, w := range r.Model.Weights {
			if w != 0 {
				t.Errorf("weights %v of constants", r.Model.Weights)
			}
		}
	})
	t.Run("same rows under both labels", func(t *testing.T) {
		s := Set{Dim: 1, Features: []float32{1, 1, 2, 2}, Labels: []int{0, 1, 0, 1}}
		train(t, s, Set{}, []string{"a", "b"}, Options{})
	})
	t.Run("huge offsets", func(t *testing.T) {
		s, labels := blobs(60, 5, 3, 1)
		for i := range s.Features {
			s.Features[i] += 1e4
		}
		train(t, s, Set{}, labels, Options{Penalties: []float64{.1}})
	})
}

// The network's outputs are the model's logits divided by the temperature, and
// their softmax.
func TestNetwork(t *testing.T) {
	s, labels := blobs(60, 8, 3, 1)
	r := train(t, s, Set{}, labels, Options{})
	r.Model.Temperature = 1.7
	n, err := r.Model.Network()
	if err != nil {
		t.Fatal(err)
	}
	l, err := n.Load(tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	in, err := tensorflow.FromFloat32([]int64{60, 8}, s.Features)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := l.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	defer out[1].Close()
	z, err := r.Model.Logits(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Labels {
		row := make([]float32, 3)
		for c := range row {
			row[c] = z[i*3+c] / 1.7
			near(t, "logit", float64(out[0].Float32()[i*3+c]), float64(row[c]), 1e-4)
		}
		for c, p := range softmax(row) {
			near(t, "probability", float64(out[1].Float32()[i*3+c]), p, 1e-5)
		}
	}
}

func softmax(logits []float32) []float64 {
	p := make([]float64, len(logits))
	for i, z := range logits {
		p[i] = float64(z)
	}
	sum := floats.LogSumExp(p)
	for i := range p {
		p[i] = math.Exp(p[i] - sum)
	}
	return p
}

func TestTrainIsCancelled(t *testing.T) {
	s, labels := blobs(200, 30, 4, 1)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Train(ctx, s, Set{}, labels, Options{Progress: func(done, total int) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestRefusals(t *testing.T) {
	s, labels := blobs(12, 4, 3, 1)
	for want, call := range map[string]func() (Set, Set, []string, Options){
		"need at least 2":     func() (Set, Set, []string, Options) { return s, Set{}, labels[:1], Options{} },
		"no training example": func() (Set, Set, []string, Options) { return s, Set{}, append(labels, "none"), Options{} },
		"class 2 of 2":        func() (Set, Set, []string, Options) { return s, Set{}, labels[:2], Options{} },
		"numbers for": func() (Set, Set, []string, Options) {
			return Set{Dim: 3, Features: s.Features, Labels: s.Labels}, Set{}, labels, Options{}
		},
		"validation set's bottlene": func() (Set, Set, []string, Options) {
			return s, Set{Dim: 2, Features: []float32{1, 2}, Labels: []int{0}}, labels, Options{}
		},
		"holds NaN": func() (Set, Set, []string, Options) {
			bad := s.Select(indices(12))
			bad.Features[5] = float32(math.NaN())
			return bad, Set{}, labels, Options{}
		},
		"2 groups for": func() (Set, Set, []string, Options) {
			bad := s
			bad.Groups = []int{1, 2}
			return bad, Set{}, labels, Options{}
		},
		"penalty -1":   func() (Set, Set, []string, Options) { return s, Set{}, labels, Options{Penalties: []float64{1, -1}} },
		"1 folds":      func() (Set, Set, []string, Options) { return s, Set{}, labels, Options{Folds: 1} },
		"tolerance -1": func() (Set, Set, []string, Options) { return s, Set{}, labels, Options{Tolerance: -1} },
	} {
		learn, judge, names, o := call()
		if _, err := Train(t.Context(), learn, judge, names, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
