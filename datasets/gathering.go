package datasets

import (
	"runtime"
	"strings"
)

// gathering collects entries whose number is not known before. A slice that
// grows is copied again and again, and is held twice each time; for a million
// entries that is most of the memory there should be.
type gathering struct {
	blocks [][]Entry // all full but the last
	count  int
	labels map[string]string
}

const blockEntries = 1 << 13

// add appends an entry. Labels are stored once each, and keys packed, so that
// nothing of the strings' origin stays in memory.
func (g *gathering) add(e Entry) {
	if g.count%blockEntries == 0 {
		g.blocks = append(g.blocks, make([]Entry, 0, min(blockEntries, 64+g.count)))
	}
	e.Label = g.intern(e.Label)
	last := &g.blocks[len(g.blocks)-1]
	*last = append(*last, e)
	if g.count++; g.count%blockEntries == 0 {
		packKeys(*last)
	}
}

func (g *gathering) intern(label string) string {
	if l, ok := g.labels[label]; ok {
		return l
	}
	if g.labels == nil {
		g.labels = make(map[string]string)
	}
	l := strings.Clone(label)
	g.labels[l] = l
	return l
}

// packKeys puts the keys of a block into one string, of which each becomes a
// part: apart they take a third more.
func packKeys(entries []Entry) {
	var all strings.Builder
	for _, e := range entries {
		all.WriteString(e.Key)
	}
	rest := all.String()
	for i := range entries {
		n := len(entries[i].Key)
		entries[i].Key, rest = rest[:n], rest[n:]
	}
}

// list returns the entries in one slice and empties the gathering.
func (g *gathering) list() []Entry {
	// The slice is as large as all blocks together. What the gathering left
	// behind goes first, or a large dataset would need half as much again.
	if len(g.blocks) > 16 {
		runtime.GC()
	}
	entries := make([]Entry, 0, g.count)
	for i, b := range g.blocks {
		entries = append(entries, b...)
		g.blocks[i] = nil
	}
	*g = gathering{}
	return entries
}
