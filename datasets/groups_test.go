package datasets_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/internal/fuzztest"
)

// entryOf parses an entry: "label key group split"; "-" means none. Keys that
// differ only after a colon have the same image.
func entryOf(short string) datasets.Entry {
	f := strings.Fields(strings.ReplaceAll(short, " -", " \x00"))
	for i := range f {
		f[i] = strings.Trim(f[i], "\x00")
	}
	content, _, _ := strings.Cut(f[1], ":")
	return datasets.Entry{Label: f[0], Key: f[0] + "/" + f[1], Group: f[2], Split: f[3], SHA256: sha256.Sum256([]byte(content))}
}

func images(t testing.TB, short ...string) *datasets.Snapshot {
	t.Helper()
	var entries []datasets.Entry
	for _, s := range short {
		entries = append(entries, entryOf(s))
	}
	return snapshotOf(t, entries)
}

// grouped returns a snapshot with groups of five images of two classes.
func grouped(t testing.TB, groups int) *datasets.Snapshot {
	var short []string
	for g := range groups {
		for i := range 5 {
			short = append(short, fmt.Sprintf("class%d %d-%d walk%d -", i%2, g, i, g))
		}
	}
	return images(t, short...)
}

func TestSplitKeepsGroupsTogether(t *testing.T) {
	s := grouped(t, 1000)
	f := datasets.Fractions{Validation: .1, Test: .2}
	all := sides(t, s, f)
	sideOfGroup := make(map[string]string)
	for _, e := range s.Entries {
		if side, seen := sideOfGroup[e.Group]; seen && side != all[e.Key] {
			t.Fatalf("the group %s is in %s and %s", e.Group, side, all[e.Key])
		}
		sideOfGroup[e.Group] = all[e.Key]
	}
	counts := make(map[string]int)
	for _, side := range sideOfGroup {
		counts[side]++
	}
	for side, want := range map[string]float64{"train": .7, "validation": .1, "test": .2} {
		if got := float64(counts[side]); math.Abs(got-1000*want) > 5*math.Sqrt(1000*want*(1-want)) {
			t.Errorf("%v of 1000 groups are for %s", got, side)
		}
	}
	// Images that join a group, and groups that merge, move nothing.
	entries := slices.Clone(s.Entries)
	for g := range 1000 {
		entries = append(entries, entryOf(fmt.Sprintf("class0 new-%d walk%d -", g, g)), entryOf(fmt.Sprintf("class1 other-%d other%d -", g, g)))
	}
	for key, side := range sides(t, snapshotOf(t, entries), f) {
		if before, old := all[key]; old && before != side {
			t.Fatalf("%s moved from %s to %s", key, before, side)
		}
	}
}

// An image without a group is on the same side as in a snapshot without groups.
func TestSplitUngrouped(t *testing.T) {
	plain := synthetic(t, 3, 300)
	f := datasets.Fractions{Validation: .2, Test: .2, Seed: 5}
	before := sides(t, plain, f)
	mixed := snapshotOf(t, append(slices.Clone(plain.Entries), grouped(t, 10).Entries...))
	for key, side := range sides(t, mixed, f) {
		if want, old := before[key]; old && side != want {
			t.Errorf("%s moved from %s to %s", key, want, side)
		}
	}
}

// Groups that share an image are treated as one.
func TestSplitLinkedGroups(t *testing.T) {
	short := []string{"a x:1 g1 -", "a x:2 g2 -", "b y g2 -", "b v g1 -"}
	for i := range 40 {
		short = append(short, fmt.Sprintf("%c single%d - -", 'a'+i%2, i))
	}
	s := images(t, short...)
	for seed := range uint64(50) {
		all := sides(t, s, datasets.Fractions{Test: .4, Seed: seed})
		for _, key := range []string{"a/x:2", "b/y", "b/v"} {
			if all[key] != all["a/x:1"] {
				t.Fatalf("seed %d: %s is for %s, a/x:1 for %s", seed, key, all[key], all["a/x:1"])
			}
		}
	}
}

func TestSplitHonoursFixed(t *testing.T) {
	var short []string
	for i := range 300 {
		short = append(short, fmt.Sprintf("%c %03d - %s", 'a'+i%2, i, []string{"train", "test", "-"}[i/2%3]))
	}
	s := images(t, short...)
	counts := func(f datasets.Fractions) map[string]int {
		n := make(map[string]int)
		all := sides(t, s, f)
		for _, e := range s.Entries {
			if e.Split == datasets.Test && all[e.Key] != "test" || e.Split != datasets.Test && all[e.Key] == "test" {
				t.Fatalf("%s is fixed to %q and for %s", e.Key, e.Split, all[e.Key])
			}
			n[fmt.Sprintf("%s as %s", cmpOr(e.Split, "free"), all[e.Key])]++
		}
		return n
	}
	// The fraction for test is ignored, because the dataset fixes test images.
	if n := counts(datasets.Fractions{Test: .9}); !maps.Equal(n, map[string]int{"train as train": 100, "test as test": 100, "free as train": 100}) {
		t.Error(n)
	}
	// None is fixed to validation: it is taken from the training images.
	n := counts(datasets.Fractions{Validation: .3})
	for _, of := range []string{"train", "free"} {
		if v := n[of+" as validation"]; v < 15 || v > 50 || v+n[of+" as train"] != 100 {
			t.Error(n)
		}
	}
	// If some are fixed, no others are used.
	s = images(t, append(short, "a v1 - validation", "b v2 - validation")...)
	if n := counts(datasets.Fractions{Validation: .3}); n["validation as validation"] != 2 || n["train as validation"]+n["free as validation"] > 0 {
		t.Error(n)
	}
}

func cmpOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// A group with one fixed image is entirely on that side.
func TestSplitFixedGroup(t *testing.T) {
	short := []string{"a 1 g test", "a 2 g -", "b 3 g -", "b 4 - test"}
	for i := range 20 {
		short = append(short, fmt.Sprintf("%c single%d - -", 'a'+i%2, i))
	}
	s := images(t, short...)
	all := sides(t, s, datasets.Fractions{Test: .5})
	for key, side := range all {
		if in := slices.Contains([]string{"a/1", "a/2", "b/3", "b/4"}, key); in != (side == "test") {
			t.Errorf("%s is for %s", key, side)
		}
	}
}

// Few groups of small classes are spread so that every side has each class, if
// possible.
func TestSplitSpreadsGroups(t *testing.T) {
	var short []string
	for c := range 5 {
		for g := range 3 {
			for i := range 4 {
				short = append(short, fmt.Sprintf("class%d %d-%d-%d group%d-%d -", c, c, g, i, c, g))
			}
		}
	}
	s := images(t, short...)
	for seed := range uint64(50) {
		for _, f := range []datasets.Fractions{{Validation: .05, Test: .05}, {Validation: .49, Test: .5}, {Validation: .01, Test: .9}} {
			f.Seed = seed
			for group, n := range tally(s, sides(t, s, f)) {
				if n != 4 {
					t.Fatalf("%+v: %s has %d", f, group, n)
				}
			}
		}
	}
}

func TestSplitGroupsErrors(t *testing.T) {
	rest := []string{"a s1 - -", "a s2 - -", "a s3 - -", "b s4 - -", "b s5 - -", "b s6 - -"}
	both := datasets.Fractions{Validation: .2, Test: .2}
	for _, c := range []struct {
		name  string
		short []string
		f     datasets.Fractions
		want  string
	}{
		{"group on two sides", append(rest, "a 1 g train", "b 2 g test"), both, `"a/1" is for train and "b/2" for test, but they are of the group "g"`},
		{"image on two sides", append(rest, "a x:1 - train", "a x:2 - test"), both, `"a/x:1" is for train and "a/x:2" for test, but they are the same image`},
		{"linked", append(rest, "a x:1 g train", "a x:2 h -", "a y h test"), both, "linked by groups, or images that are identical or look alike"},
		{"one group", []string{"a 1 g -", "a 2 g -", "b 3 h -", "b 4 i -", "b 5 j -"}, both, `"a" has no image for`},
		{"no test of a class", append(rest, "a 1 - test"), both, `"b" has no image for test`},
		{"all fixed, no test", []string{"a 1 - train", "a 2 - train", "b 3 - train", "b 4 - train"}, both, `"a" has no image for test`},
		{"per class", append(rest, "a 1 g -"), datasets.Fractions{TrainPerClass: 1}, "give fractions instead"},
		{"one class", []string{"a 1 g -", "a 2 h -"}, both, "at least two classes"},
	} {
		if _, err := images(t, c.short...).Split(c.f); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "memory://test") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// The split of a dataset is part of a model's identity: this one must never
// change.
func TestSplitGroupsGolden(t *testing.T) {
	split, err := grouped(t, 4).Split(datasets.Fractions{Validation: .2, Test: .3, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "split", split, "{Train:[0 1 2 9 10 11 12 13 18 19] Validation:[6 7 8 16 17] Test:[3 4 5 14 15]}")
}

// Any groups and fixed sides give either a valid partition with an image of
// each class on every side, or an error.
func FuzzSplitGroups(f *testing.F) {
	f.Add(uint64(1), .1, .2, []byte("abcdefghijklmnopqrstuvwxyz0123456789"))
	f.Add(uint64(2), .3, .0, []byte("aaaabbbbccccddddeeee\x80\x81\x82\x83"))
	f.Fuzz(func(t *testing.T, seed uint64, validation, test float64, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		var entries []datasets.Entry
		for i, c := range b[:min(len(b), 300)] {
			e := datasets.Entry{Key: fmt.Sprintf("%03d", i), Label: fmt.Sprint(c % 3), SHA256: sha256.Sum256([]byte{c, byte(i % 7)})}
			if c&8 != 0 {
				e.Group = fmt.Sprint("g", c>>4)
			}
			if c&16 != 0 && i%4 == 0 {
				e.Split = []string{datasets.Train, datasets.Validation, datasets.Test}[c>>5%3]
			}
			entries = append(entries, e)
		}
		s := snapshotOf(t, entries)
		fractions := datasets.Fractions{Validation: validation, Test: test, Seed: seed}
		if _, err := s.Split(fractions); err != nil {
			return
		}
		all := sides(t, s, fractions)
		group, content, fixed := make(map[string]string), make(map[[32]byte]string), make(map[string]bool)
		for _, e := range s.Entries {
			fixed[e.Split] = true
		}
		n := tally(s, all)
		for _, e := range s.Entries {
			side := all[e.Key]
			if before, seen := group[e.Group]; seen && e.Group != "" && before != side {
				t.Errorf("the group %s is on two sides", e.Group)
			}
			if before, seen := content[e.SHA256]; seen && before != side {
				t.Errorf("an image is on two sides")
			}
			group[e.Group], content[e.SHA256] = side, side
			if e.Split != "" && side != e.Split && !(e.Split == datasets.Train && side == datasets.Validation && !fixed[datasets.Validation]) {
				t.Errorf("%s is fixed to %s and for %s", e.Key, e.Split, side)
			}
			for side, used := range map[string]bool{"train": true, "validation": validation > 0 || fixed[datasets.Validation], "test": test > 0 || fixed[datasets.Test]} {
				if used && n[e.Label+" "+side] == 0 {
					t.Errorf("class %s has none for %s", e.Label, side)
				}
			}
		}
	})
}
