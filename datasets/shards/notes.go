package shards

import (
	"slices"
	"sync"
)

// maxNotes bounds how many different notes are kept of a source.
const maxNotes = 16

// notes are the different notes of the records that were listed.
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

// Notes says how the records that were listed until now were read, where that is
// not plain, a sentence each.
func (s *Source) Notes() []string {
	s.notes.mu.Lock()
	defer s.notes.mu.Unlock()
	return slices.Clone(s.notes.list)
}
