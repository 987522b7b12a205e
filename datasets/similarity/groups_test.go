package similarity

import (
	"context"
	"errors"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"testing"
)

// scattered returns n random prints, some of which are copies with up to flips
// bits of the hash changed.
func scattered(n, flips int, seed uint64) *Prints {
	r := rand.New(rand.NewPCG(seed, 0))
	prints := make([]Print, n)
	for i := range prints {
		if i > 0 && r.IntN(3) == 0 {
			prints[i] = prints[r.IntN(i)]
			for range r.IntN(flips + 1) {
				prints[i].Hash ^= 1 << r.IntN(64)
			}
			continue
		}
		prints[i].Hash = r.Uint64()
		for k := range prints[i].Shape {
			prints[i].Shape[k] = int8(r.IntN(255) - 127)
		}
	}
	return listed(prints...)
}

func listed(prints ...Print) *Prints {
	all := new(Prints)
	for _, p := range prints {
		all.Add(p)
	}
	return all
}

// The groups are the same as by comparing every pair.
func TestGroups(t *testing.T) {
	for distance := range bitsOfPart {
		limit := Threshold{Distance: distance, Correlation: 0.9}
		prints := scattered(600, distance+3, uint64(distance))
		got, complete, err := limit.Groups(t.Context(), prints)
		if err != nil || !complete {
			t.Fatal(err, complete)
		}
		if want := everyPair(limit, prints); !reflect.DeepEqual(got, want) {
			t.Errorf("distance %d: %v, want %v", distance, got, want)
		}
		if len(got) == 0 {
			t.Errorf("distance %d: nothing was there to find", distance)
		}
	}
}

// everyPair does the same as Groups, without an index.
func everyPair(limit Threshold, prints *Prints) [][]int32 {
	s := newSearch(limit, prints)
	for i := range int32(prints.Len()) {
		for j := range i {
			if limit.Alike(prints.At(i), prints.At(j)) {
				s.sets.Join(i, j)
			}
		}
	}
	return s.components()
}

// Whatever bits differ, at least one part is within reach.
func TestReach(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		distance := r.IntN(bitsOfPart)
		var differ uint64
		for range distance {
			differ |= 1 << r.IntN(64)
		}
		code, within := spread(differ), false
		if bits.OnesCount64(code) != bits.OnesCount64(differ) {
			t.Fatalf("%x was spread to %x", differ, code)
		}
		for part := range parts {
			within = within || Distance(code>>(part*bitsOfPart)&0xffff, 0) <= reach(distance, part)
		}
		if !within {
			t.Fatalf("%x, within %d bits, is within no part's reach", differ, distance)
		}
	}
}

// A hundred thousand images that all look alike cost no more than different
// ones: one represents them.
func TestGroupsOfOneLook(t *testing.T) {
	prints := make([]Print, 100_000)
	for i := range prints {
		prints[i] = Print{Hash: 0x0123456789abcdef}
		prints[i].Shape[0] = 127
		prints[i].Shape[1] = int8(i % 10)
	}
	groups, complete, err := Default.Groups(t.Context(), listed(prints...))
	if err != nil || !complete || len(groups) != 1 || len(groups[0]) != len(prints) {
		t.Errorf("%d groups, complete %t, %v", len(groups), complete, err)
	}
}

// Equal hashes are not sufficient.
func TestGroupsAskTheShape(t *testing.T) {
	prints := make([]Print, 3)
	prints[0].Shape[0], prints[1].Shape[1], prints[2].Shape[0] = 100, 100, 90
	groups, _, err := Default.Groups(t.Context(), listed(prints...))
	if want := [][]int32{{0, 2}}; err != nil || !reflect.DeepEqual(groups, want) {
		t.Errorf("%v, %v", groups, err)
	}
}

func TestGroupsEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Default.Groups(ctx, scattered(10, 1, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, _, err := (Threshold{Distance: 16}).Groups(t.Context(), listed()); err == nil {
		t.Error("a distance of 16 is accepted")
	}
	if groups, complete, err := Default.Groups(t.Context(), listed()); err != nil || !complete || groups != nil {
		t.Errorf("of nothing: %v %t %v", groups, complete, err)
	}
	s := newSearch(Default, scattered(1000, 1, 1))
	s.left = 1
	s.represent()
	if s.compare(s.leaders, s.leaders, true) || s.left > 0 {
		t.Error("the search goes on beyond its bound")
	}
}

// BenchmarkGroups searches a million prints.
func BenchmarkGroups(b *testing.B) {
	for name, n := range map[string]int{"100k": 100_000, "1M": 1_000_000} {
		prints := scattered(n, 6, 1)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Default.Groups(b.Context(), prints); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
