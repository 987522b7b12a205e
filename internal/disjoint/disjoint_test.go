package disjoint_test

import (
	"math/rand/v2"
	"testing"

	"tkit/internal/disjoint"
)

// The sets are the same as those found by relabelling every member.
func TestSets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const n = 60
	sets := disjoint.New(n)
	colours := make([]int32, n)
	for i := range colours {
		colours[i] = int32(i)
	}
	for range 50 {
		a, b := int32(random.IntN(n)), int32(random.IntN(n))
		sets.Join(a, b)
		from, to := max(colours[a], colours[b]), min(colours[a], colours[b])
		for i, c := range colours {
			if c == from {
				colours[i] = to
			}
		}
		for i, c := range colours {
			if got := sets.First(int32(i)); got != c {
				t.Fatalf("%d is in the set of %d, want %d", i, got, c)
			}
		}
	}
	if sets.Len() != n {
		t.Errorf("%d members", sets.Len())
	}
}
