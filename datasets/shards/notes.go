package shards

import (
	"slices"
	"sync"
)

// maxNotes bounds the number of different notes kept for a source.
const maxNotes = 16

// notes holds the different notes of the listed records.
type notes struct {
	mu   sync.Mutex
	list []string
}

func (n *notes) add(note string) {
	if note == "" {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.list) < maxNotes && !slices.Contains(n.list, note) {
		n.list = append(n.list, note)
	}
}

// Notes returns sentences about unusual ways in which the records listed so far
// were read.
func (s *Source) Notes() []string {
	s.notes.mu.Lock()
	defer s.notes.mu.Unlock()
	return slices.Clone(s.notes.list)
}
