package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tkit/architectures"
	"tkit/architectures/builder"
	"tkit/datasets"
	"tkit/internal/needs"
	"tkit/internal/network"
	"tkit/train/head"
)

// randomBase is a small convolutional network with its initial weights: random
// features that distinguish digits well enough.
func randomBase(t testing.TB) (*network.Network, architectures.Architecture) {
	t.Helper()
	a, err := architectures.Lookup("lenet5")
	if err != nil {
		t.Fatal(err)
	}
	g, err := a.Graph()
	if err != nil {
		t.Fatal(err)
	}
	weights, err := builder.Initial(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	n, err := builder.Network(g, weights)
	if err != nil {
		t.Fatal(err)
	}
	return n, a
}

func fineTuneOptions(t testing.TB, dir string) FineTuneOptions {
	t.Helper()
	base, a := randomBase(t)
	return FineTuneOptions{
		Base: base, Preprocessing: a.Preprocessing, Source: source(t, dir), Work: t.TempDir(),
		Split: datasets.Fractions{Validation: 0.2, Test: 0.3, Seed: 1},
	}
}

func TestFineTune(t *testing.T) {
	dir := folder(t, 0, 1, 4, 7)
	whole, err := os.ReadFile(first(t, dir, "0"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 41; i < len(whole)-12; i++ {
		whole[i] = 0xff
	}
	if err := os.WriteFile(filepath.Join(dir, "0", "broken.png"), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	passed := func(o *FineTuneOptions) *int {
		n := 0
		o.Observer = func(e Event) {
			if e, ok := e.(PhaseEnded); ok && e.Phase == Bottlenecks {
				n++
			}
		}
		return &n
	}
	for _, c := range []struct {
		name, cut string
		passes    int
	}{
		{"auto", "auto", 2},   // the candidates' images, then those of the test
		{"auto again", "", 2}, // the broken image is tried again, nothing else is computed
		{"named", "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := fineTuneOptions(t, dir)
			o.Cache, o.Cut = cache, c.cut
			if c.name == "named" {
				ends, err := o.Base.Endpoints()
				if err != nil {
					t.Fatal(err)
				}
				i := slices.IndexFunc(ends, func(e network.Endpoint) bool { return len(e.Shape) == 3 })
				o.Cut = ends[i].Name + ":flatten"
			}
			passes := passed(&o)
			r, err := FineTune(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if r.Evaluation.Accuracy.Value < 0.9 {
				t.Errorf("accuracy %v at the cut %s", r.Evaluation.Accuracy, r.Cut)
			}
			if *passes > c.passes {
				t.Errorf("%d passes through trunks, want %d at most", *passes, c.passes)
			}
			if q := r.Report.Quarantined; len(q) != 1 || q[0].Key != "0/broken.png" {
				t.Errorf("quarantined %v, want 0/broken.png", q)
			}
			sameAnswers(t, r)
			if left, _ := os.ReadDir(o.Work); len(left) > 0 {
				t.Errorf("remaining files: %v", left)
			}
		})
	}
}

func TestFineTuneOnFewImages(t *testing.T) {
	needs.Minutes(t)
	o := fineTuneOptions(t, folder(t, 5, 6, 7))
	o.Split = datasets.Fractions{TrainPerClass: 5, Seed: 2}
	var tried CutsTried
	o.Observer = func(e Event) {
		if e, ok := e.(CutsTried); ok {
			tried = e
		}
	}
	r, err := FineTune(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if tried.Images != 15 || len(tried.Candidates) < 3 {
		t.Errorf("cuts were compared on %d images: %+v", tried.Images, tried.Candidates)
	}
	chosen := slices.IndexFunc(tried.Candidates, func(c CutTried) bool { return c.Chosen })
	if chosen < 0 || tried.Candidates[chosen].Cut != r.Cut {
		t.Errorf("chosen %d of %+v, the result has %s", chosen, tried.Candidates, r.Cut)
	}
	if r.Split.Train != 15 || r.Evaluation.Examples != r.Split.Test {
		t.Errorf("split %+v, evaluated on %d", r.Split, r.Evaluation.Examples)
	}
}

// With one image per class a head can be trained if the cut is given; cuts
// cannot be compared.
func TestFineTuneOnOneImageAClass(t *testing.T) {
	needs.Minutes(t)
	o := fineTuneOptions(t, folder(t, 5, 6))
	o.Split = datasets.Fractions{TrainPerClass: 1, Seed: 2}
	if _, err := FineTune(context.Background(), o); !errors.Is(err, head.ErrNothingHeldOut) || !errors.Is(err, ErrCut) {
		t.Errorf("error %v, want that no cut can be chosen", err)
	}
	ends, err := o.Base.Endpoints()
	if err != nil {
		t.Fatal(err)
	}
	o.Cut = ends[0].Name + ":avg2"
	r, err := FineTune(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Split.Train != 2 || r.Evaluation.Temperature != 1 {
		t.Errorf("split %+v, temperature %v", r.Split, r.Evaluation.Temperature)
	}
}

func TestFineTuneFaults(t *testing.T) {
	dir := folder(t, 3, 4)
	for name, c := range map[string]struct {
		change func(*FineTuneOptions)
		want   string
	}{
		"unknown cut":  {func(o *FineTuneOptions) { o.Cut = "conv99" }, "conv99"},
		"unknown pool": {func(o *FineTuneOptions) { o.Cut = "conv1:max" }, "POOL"},
		"wrong size":   {func(o *FineTuneOptions) { o.Preprocessing.Steps[1].Resize.Height = 28 }, "preprocessing"},
		"one class":    {func(o *FineTuneOptions) { o.Source = source(t, folder(t, 3)) }, "every image has the label"},
		"nothing":      {func(o *FineTuneOptions) { o.Source = source(t, t.TempDir()) }, "no usable example"},
	} {
		t.Run(name, func(t *testing.T) {
			o := fineTuneOptions(t, dir)
			c.change(&o)
			r, err := FineTune(context.Background(), o)
			if err == nil {
				r.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
		})
	}
	t.Run("changed image", func(t *testing.T) {
		o := fineTuneOptions(t, folder(t, 3, 4))
		root := strings.TrimPrefix(o.Source.URI(), "file://")
		o.Observer = func(e Event) {
			if e, ok := e.(PhaseBegan); ok && e.Phase == Bottlenecks {
				// Like another program that replaces it in the middle of a run.
				other, err := os.ReadFile(first(t, root, "4"))
				if err != nil {
					t.Error(err)
				}
				if err := os.WriteFile(first(t, root, "3"), other, 0o600); err != nil {
					t.Error(err)
				}
			}
		}
		if _, err := FineTune(context.Background(), o); !errors.Is(err, datasets.ErrChanged) {
			t.Errorf("error %v, want one of a changed image", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		o := fineTuneOptions(t, dir)
		ctx, cancel := context.WithCancel(context.Background())
		o.Observer = func(e Event) {
			if e.Name() == "progress" {
				cancel()
			}
		}
		if _, err := FineTune(ctx, o); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want the context's", err)
		}
	})
}
