package similarity

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tkit/internal/disjoint"
)

// mostComparisons bounds the work of a search to some minutes. Only a dataset
// whose images nearly all resemble each other without looking alike comes near
// it.
const mostComparisons = 1 << 37

// Groups finds the prints whose images look alike and returns the indices of
// their connected components: two images of a group are linked by a chain of
// pairs that look alike. Groups and their members are in ascending order, and
// every group has two or more. Complete is false if the search was stopped
// because it took too long; the groups found are then correct but may lack
// members.
//
// Prints of equal hash are compared with the first of them that they resemble,
// and that one then represents them. So a thousand frames of one camera cost no
// more than one.
//
// The search is the multi-index hashing of Norouzi, Punjani, Fleet, "Fast
// Search in Hamming Space with Multi-Index Hashing", CVPR 2012, as a join of
// the set with itself. Besides the prints it takes about 40 bytes for each. For
// evenly spread hashes, the time is n²/2¹⁶ comparisons for each of the
// neighbouring buckets: about 2 s for a million and a distance of 8 on one
// core.
func (t Threshold) Groups(ctx context.Context, prints *Prints) (groups [][]int32, complete bool, err error) {
	if t.Distance < 0 || t.Distance >= bitsOfPart {
		return nil, false, fmt.Errorf("a distance of %d bits: want 0 to %d", t.Distance, bitsOfPart-1)
	}
	s := newSearch(t, prints)
	s.represent()
	s.sorted = make([]leader, len(s.leaders))
	for part := range parts {
		if err := s.join(ctx, part); err != nil {
			return nil, false, err
		}
	}
	return s.components(), s.left > 0, nil
}

// search is the state of a search.
type search struct {
	threshold Threshold
	prints    *Prints
	sets      disjoint.Sets // of prints that resemble each other
	leaders   []leader
	sorted    []leader // by the part being joined
	left      int64    // remaining comparisons
}

func newSearch(t Threshold, prints *Prints) *search {
	return &search{threshold: t, prints: prints, sets: disjoint.New(prints.Len()), left: mostComparisons}
}

// leader represents the prints of equal hash that resemble it.
type leader struct {
	code  uint64 // its hash with the bits of each part adjacent
	print int32
}

// represent chooses the leaders.
func (s *search) represent() {
	order := make([]int32, s.prints.Len())
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(s.prints.At(a).Hash, s.prints.At(b).Hash), cmp.Compare(a, b))
	})
	s.leaders = make([]leader, 0, len(order))
	first := 0 // of the leaders of this hash
	for at, i := range order {
		p := s.prints.At(i)
		if at == 0 || p.Hash != s.prints.At(order[at-1]).Hash {
			first = len(s.leaders)
		}
		found := slices.IndexFunc(s.leaders[first:], func(l leader) bool {
			s.left--
			return s.threshold.Alike(p, s.prints.At(l.print))
		})
		switch {
		case found >= 0:
			s.sets.Join(i, s.leaders[first+found].print)
		case s.left > 0:
			s.leaders = append(s.leaders, leader{spread(p.Hash), i})
		}
	}
}

// A hash is searched by its parts: if two hashes differ in few bits, they
// differ in very few bits in at least one of the parts.
const (
	parts      = 4
	bitsOfPart = 64 / parts
)

// spread distributes the bits of a hash over its parts in turn. Neighbouring
// coefficients are correlated, so parts made of neighbours would be similar and
// their buckets full.
func spread(hash uint64) (code uint64) {
	for i := range 64 {
		code |= hash >> i & 1 << (i%parts*bitsOfPart + i/parts)
	}
	return code
}

// reach returns how many bits of a part may differ so that nothing within the
// distance is missed: if each of the first a+1 parts differed in more than s
// and each of the others in s or more, the total would exceed d = 4s + a
// (Norouzi et al., proposition 2). Below 0 the part need not be searched.
func reach(distance, part int) int {
	r := distance / parts
	if part > distance%parts {
		r--
	}
	return r
}

// join links the leaders that look alike and are similar in one part.
func (s *search) join(ctx context.Context, part int) error {
	at := func(code uint64) int { return int(code >> (part * bitsOfPart) & (1<<bitsOfPart - 1)) }
	begin := make([]int32, 1<<bitsOfPart+1) // of the bucket of each value of the part
	for _, l := range s.leaders {
		begin[at(l.code)+1]++
	}
	for v := range 1 << bitsOfPart {
		begin[v+1] += begin[v]
	}
	sorted := s.sorted
	next := slices.Clone(begin)
	for _, l := range s.leaders {
		v := at(l.code)
		sorted[next[v]] = l
		next[v]++
	}
	masks := masksWithin(reach(s.threshold.Distance, part))
	for v := range 1 << bitsOfPart {
		bucket := sorted[begin[v]:begin[v+1]]
		if len(bucket) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, mask := range masks {
			if w := v ^ mask; w >= v { // each pair of buckets once
				if !s.compare(bucket, sorted[begin[w]:begin[w+1]], mask == 0) {
					return nil
				}
			}
		}
	}
	return nil
}

// compare links the leaders of two buckets, or of one with itself. It reports
// whether the search may continue.
func (s *search) compare(a, b []leader, same bool) bool {
	for i, x := range a {
		if same {
			b = a[i+1:]
		}
		if s.left -= int64(len(b)); s.left <= 0 {
			s.left = 0
			return false
		}
		for _, y := range b {
			if Distance(x.code, y.code) <= s.threshold.Distance &&
				s.prints.At(x.print).Correlation(s.prints.At(y.print)) >= s.threshold.Correlation {
				s.sets.Join(x.print, y.print)
			}
		}
	}
	return true
}

// masksWithin lists the values of a part with at most the given number of bits
// set.
func masksWithin(bits int) (masks []int) {
	for m := range 1 << bitsOfPart {
		if Distance(uint64(m), 0) <= bits {
			masks = append(masks, m)
		}
	}
	return masks
}

// components lists the members of each component of two or more.
func (s *search) components() [][]int32 {
	sizes := make(map[int32]int)
	for i := range s.sets.Len() {
		if r := s.sets.First(int32(i)); r != int32(i) {
			sizes[r]++
		}
	}
	index := make(map[int32]int, len(sizes))
	var groups [][]int32
	for i := range s.sets.Len() {
		r := s.sets.First(int32(i))
		n, shared := sizes[r]
		if !shared {
			continue
		}
		at, known := index[r]
		if !known {
			at = len(groups)
			index[r] = at
			groups = append(groups, make([]int32, 0, n+1))
		}
		groups[at] = append(groups[at], int32(i))
	}
	return groups
}
