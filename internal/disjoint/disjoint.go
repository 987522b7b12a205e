// Package disjoint implements disjoint sets (union-find) of the numbers from 0.
package disjoint

// Sets is a forest with a tree for each set, whose root is its smallest member.
// It is not safe for concurrent use.
type Sets struct{ parent []int32 }

// New returns n sets of one member each.
func New(n int) Sets {
	s := Sets{make([]int32, n)}
	for i := range s.parent {
		s.parent[i] = int32(i)
	}
	return s
}

// Len returns the number of members of all sets.
func (s Sets) Len() int { return len(s.parent) }

// First returns the smallest member of the set that contains i.
func (s Sets) First(i int32) int32 {
	for s.parent[i] != i {
		s.parent[i] = s.parent[s.parent[i]]
		i = s.parent[i]
	}
	return i
}

// Join merges the sets that contain a and b.
func (s Sets) Join(a, b int32) {
	a, b = s.First(a), s.First(b)
	s.parent[max(a, b)] = min(a, b)
}
