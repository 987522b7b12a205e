package datasets_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/internal/fuzztest"
)

// sides maps every key to its side and fails unless it has exactly one.
func sides(t *testing.T, s *datasets.Snapshot, f datasets.Fractions) map[string]string {
	t.Helper()
	split, err := s.Split(f)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for name, side := range map[string][]int{"train": split.Train, "validation": split.Validation, "test": split.Test} {
		if !slices.IsSorted(side) {
			t.Errorf("%s is not in order", name)
		}
		for _, i := range side {
			key := s.Entries[i].Key
			if before, twice := all[key]; twice {
				t.Errorf("%s is in %s and %s", key, before, name)
			}
			all[key] = name
		}
	}
	if len(all) != len(s.Entries) {
		t.Errorf("%d of %d entries are split", len(all), len(s.Entries))
	}
	return all
}

// tally counts by class and side.
func tally(s *datasets.Snapshot, all map[string]string) map[string]int {
	n := make(map[string]int)
	for _, e := range s.Entries {
		n[e.Label+" "+all[e.Key]]++
	}
	return n
}

func TestSplitFractions(t *testing.T) {
	s := synthetic(t, 4, 2000)
	for _, f := range []datasets.Fractions{
		{}, {Test: .2}, {Validation: .1}, {Validation: .15, Test: .15}, {Validation: .45, Test: .45, Seed: 3},
	} {
		n := tally(s, sides(t, s, f))
		for _, label := range s.Labels() {
			for side, want := range map[string]float64{"train": 1 - f.Validation - f.Test, "validation": f.Validation, "test": f.Test} {
				// five standard deviations of a binomial distribution
				if got := float64(n[label+" "+side]); math.Abs(got-2000*want) > 5*math.Sqrt(2000*want*(1-want)) {
					t.Errorf("%+v: %s has %v of 2000 for %s", f, label, got, side)
				}
			}
		}
	}
}

func TestSplitSeed(t *testing.T) {
	s := synthetic(t, 2, 500)
	one, same, other := sides(t, s, datasets.Fractions{Test: .5, Seed: 1}), sides(t, s, datasets.Fractions{Test: .5, Seed: 1}), sides(t, s, datasets.Fractions{Test: .5, Seed: 2})
	moved := 0
	for key := range one {
		if one[key] != same[key] {
			t.Fatalf("%s moved under one seed", key)
		}
		if one[key] != other[key] {
			moved++
		}
	}
	if moved < 400 || moved > 600 {
		t.Errorf("another seed moved %d of 1000", moved)
	}
}

// Adding, removing and renaming images leaves the others on their sides.
func TestSplitIsStable(t *testing.T) {
	whole := synthetic(t, 3, 400)
	f := datasets.Fractions{Validation: .1, Test: .2}
	before := sides(t, whole, f)
	bySHA := make(map[[sha256.Size]byte]string)
	for _, e := range whole.Entries {
		bySHA[e.SHA256] = before[e.Key]
	}
	entries := slices.Clone(whole.Entries)
	entries = slices.DeleteFunc(entries, func(e datasets.Entry) bool { return e.SHA256[0]%3 == 0 })
	for i := range entries {
		entries[i].Key = fmt.Sprintf("renamed/%x.png", entries[i].SHA256)
	}
	for i := range 500 {
		key := fmt.Sprintf("new/%d.png", i)
		entries = append(entries, datasets.Entry{Key: key, Label: "class001", SHA256: sha256.Sum256([]byte(key))})
	}
	changed := snapshotOf(t, entries)
	after := sides(t, changed, f)
	for _, e := range changed.Entries {
		if want, old := bySHA[e.SHA256]; old && after[e.Key] != want {
			t.Errorf("an image moved from %s to %s", want, after[e.Key])
		}
	}
}

// If every image is repeated, copies share a side, in every mode.
func TestSplitKeepsDuplicatesTogether(t *testing.T) {
	for _, f := range []datasets.Fractions{{Validation: .3, Test: .3}, {TrainPerClass: 2}, {Validation: .01, Test: .01}} {
		var entries []datasets.Entry
		for _, e := range synthetic(t, 2, 7).Entries {
			for copy := range 3 {
				e := e
				e.Key = fmt.Sprintf("%s.%d.png", e.Key, copy)
				entries = append(entries, e)
			}
		}
		s := snapshotOf(t, entries)
		all := sides(t, s, f)
		for i, e := range s.Entries {
			if first := s.Entries[i/3*3]; all[e.Key] != all[first.Key] || e.SHA256 != first.SHA256 {
				t.Errorf("%+v: %s is in %s, its copy in %s", f, e.Key, all[e.Key], all[first.Key])
			}
		}
		if n := tally(s, all); f.TrainPerClass > 0 && n["class000 train"] != 6 {
			t.Errorf("two images thrice are %d files", n["class000 train"])
		}
	}
}

// A class of three images has one on each side, for any fractions and seed.
func TestSplitTinyClasses(t *testing.T) {
	s := synthetic(t, 5, 3)
	for seed := range uint64(50) {
		for _, f := range []datasets.Fractions{{Validation: .05, Test: .05}, {Validation: .49, Test: .5}, {Validation: .01, Test: .9}} {
			f.Seed = seed
			for group, n := range tally(s, sides(t, s, f)) {
				if n != 1 {
					t.Fatalf("%+v: %s has %d", f, group, n)
				}
			}
		}
		// Unused sides get nothing, the others something.
		n := tally(s, sides(t, s, datasets.Fractions{Test: .02, Seed: seed}))
		if n["class000 validation"] != 0 || n["class000 test"] == 0 || n["class000 train"] == 0 {
			t.Fatalf("seed %d: %v", seed, n)
		}
	}
}

func TestSplitPerClass(t *testing.T) {
	s := synthetic(t, 4, 50)
	all := sides(t, s, datasets.Fractions{TrainPerClass: 5})
	n := tally(s, all)
	for _, label := range s.Labels() {
		if n[label+" train"] != 5 || n[label+" test"] != 45 {
			t.Errorf("%s: %v", label, n)
		}
	}
	// A larger number per class takes the same images and more.
	more := sides(t, s, datasets.Fractions{TrainPerClass: 6})
	for key, side := range all {
		if side == "train" && more[key] != "train" {
			t.Errorf("%s is not among six", key)
		}
	}
}

func TestSplitErrors(t *testing.T) {
	two := synthetic(t, 2, 2)
	many := synthetic(t, 9, 1)
	for _, c := range []struct {
		name string
		s    *datasets.Snapshot
		f    datasets.Fractions
		want string
	}{
		{"nothing", snapshotOf(t, nil), datasets.Fractions{}, "no usable example"},
		{"one class", synthetic(t, 1, 50), datasets.Fractions{Test: .1}, `every image has the label "class000"`},
		{"too few for three sides", two, datasets.Fractions{Test: .1, Validation: .1}, `"class000" has 2 different images, "class001" has 2 different images, but each class needs 3 (one each to train, validate, test)`},
		{"many too small", many, datasets.Fractions{Test: .1}, `"class004" has 1 different image and 4 more, but each class needs 2 (one each to train, test)`},
		{"too few a class", two, datasets.Fractions{TrainPerClass: 2}, "each class needs 3 (2 to train, at least 1 to test)"},
		{"negative", two, datasets.Fractions{Test: -.1}, "neither may be negative"},
		{"no training", two, datasets.Fractions{Test: .5, Validation: .5}, "something for training"},
		{"not a number", two, datasets.Fractions{Test: math.NaN()}, "neither may be negative"},
		{"negative a class", two, datasets.Fractions{TrainPerClass: -1}, "must not be negative"},
		{"both", two, datasets.Fractions{TrainPerClass: 1, Test: .1}, "cannot be combined with fractions"},
	} {
		if _, err := c.s.Split(c.f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := snapshotOf(t, nil).Split(datasets.Fractions{}); !errors.Is(err, datasets.ErrNoExamples) {
		t.Error(err)
	}
}

// The split of a dataset is part of a model's identity: this one must never
// change.
func TestSplitGolden(t *testing.T) {
	s := synthetic(t, 2, 10)
	split, err := s.Split(datasets.Fractions{Validation: .2, Test: .3, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "split", split, "{Train:[1 6 8 9 10 11 12 14 18 19] Validation:[0 3 5 13] Test:[2 4 7 15 16 17]}")
}

// Any sizes and fractions give either a partition with an image of each class
// on every side, or an error.
func FuzzSplit(f *testing.F) {
	f.Add(uint64(1), .1, .2, 0, []byte{5, 9, 3})
	f.Add(uint64(2), .0, .0, 3, []byte{5, 9, 3})
	f.Add(uint64(3), .98, .01, 0, []byte{1, 200})
	f.Fuzz(func(t *testing.T, seed uint64, validation, test float64, perClass int, sizes []byte) {
		defer fuzztest.Watch(t, len(sizes))()
		var entries []datasets.Entry
		for c, n := range sizes[:min(len(sizes), 8)] {
			for i := range n {
				// every third image repeats the previous one
				entries = append(entries, datasets.Entry{
					Key: fmt.Sprintf("%d/%03d", c, i), Label: fmt.Sprint(c),
					SHA256: sha256.Sum256([]byte{byte(c), i - min(i, i%3/2)}),
				})
			}
		}
		s := snapshotOf(t, entries)
		fractions := datasets.Fractions{Validation: validation, Test: test, TrainPerClass: perClass, Seed: seed}
		if _, err := s.Split(fractions); err != nil {
			return
		}
		n := tally(s, sides(t, s, fractions))
		for _, label := range s.Labels() {
			for side, used := range map[string]bool{"train": true, "validation": validation > 0, "test": test > 0 || perClass > 0} {
				if (n[label+" "+side] > 0) != used {
					t.Errorf("%+v: class %s has %d for %s", fractions, label, n[label+" "+side], side)
				}
			}
		}
	})
}
