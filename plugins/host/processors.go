package host

import (
	"cmp"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// processors counts the processors assigned to the processes of all plugins.
var processors shares

// shares counts the processes assigned to each processor.
type shares struct {
	mu    sync.Mutex
	given map[int]int
}

// take selects n of the processors available to tkit, those with the fewest
// processes: a process that replaces an ended one gets the same processors. It
// returns nil if there are no more than n.
func (s *shares) take(n int) []int {
	var own unix.CPUSet
	if unix.SchedGetaffinity(0, &own) != nil || own.Count() <= n {
		return nil
	}
	var all []int
	for cpu := 0; len(all) < own.Count(); cpu++ {
		if own.IsSet(cpu) {
			all = append(all, cpu)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.given == nil {
		s.given = map[int]int{}
	}
	slices.SortStableFunc(all, func(a, b int) int { return cmp.Compare(s.given[a], s.given[b]) })
	chosen := all[:n]
	for _, cpu := range chosen {
		s.given[cpu]++
	}
	return chosen
}

// give releases the selected processors.
func (s *shares) give(chosen []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cpu := range chosen {
		s.given[cpu]--
	}
}
