package datasets

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"runtime/debug"
	"strings"
)

// gathering collects entries whose number is unknown. A growing slice would be
// copied repeatedly and held twice each time, which for a million entries would
// be most of the allowed memory. So entries are encoded until all are there,
// each name as its difference from the previous one. This takes less than half
// the size of the slice.
type gathering struct {
	blocks [][]byte
	count  int
	last   Entry  // for comparing groups
	key    []byte // of the last entry
	labels []string
	known  map[string]uint64 // indices in labels
}

const blockBytes = 1 << 18

// add appends an entry with the given key instead of its own. It copies the key
// and the entry's strings.
func (g *gathering) add(e Entry, key []byte) {
	most := len(key) + len(e.Group) + len(e.SHA256) + 8*binary.MaxVarintLen64
	if n := len(g.blocks); n == 0 || len(g.blocks[n-1])+most > cap(g.blocks[n-1]) {
		g.blocks = append(g.blocks, make([]byte, 0, max(most, min(blockBytes, 1<<12+64*g.count))))
	}
	b := &g.blocks[len(g.blocks)-1]
	*b = appendName(*b, g.key, key)
	*b = appendName(*b, g.last.Group, e.Group)
	*b = binary.AppendUvarint(*b, g.index(e.Label))
	*b = binary.AppendUvarint(*b, g.index(e.Split))
	*b = binary.AppendUvarint(*b, uint64(e.Size))
	*b = append(*b, e.SHA256[:]...)
	g.last, g.key = e, append(g.key[:0], key...)
	g.count++
}

// appendName encodes how many bytes a name shares with the previous one, and
// the rest.
func appendName[Text string | []byte](b []byte, before, name Text) []byte {
	shared := 0
	for shared < len(name) && shared < len(before) && name[shared] == before[shared] {
		shared++
	}
	b = binary.AppendUvarint(b, uint64(shared))
	b = binary.AppendUvarint(b, uint64(len(name)-shared))
	return append(b, name[shared:]...)
}

func (g *gathering) index(label string) uint64 {
	i, ok := g.known[label]
	if !ok {
		if g.known == nil {
			g.known = make(map[string]uint64)
		}
		label = strings.Clone(label)
		i = uint64(len(g.labels))
		g.known[label] = i
		g.labels = append(g.labels, label)
	}
	return i
}

// list returns the entries in one slice and empties the gathering.
func (g *gathering) list() []Entry {
	// The garbage of gathering a large dataset is returned to the system first,
	// because the slice does not fit into it.
	if len(g.blocks) > 16 {
		debug.FreeOSMemory()
		defer runtime.GC()
	}
	entries := make([]Entry, 0, g.count)
	var names packing
	var key, group []byte
	for i, b := range g.blocks {
		for len(b) > 0 {
			var e Entry
			b, key = takeName(b, key)
			b, group = takeName(b, group)
			e.Label, b = g.label(b)
			e.Split, b = g.label(b)
			size, n := binary.Uvarint(b)
			e.Size = int64(size)
			b = b[n+copy(e.SHA256[:], b[n:]):]
			entries = append(entries, e)
			names.add(entries, key, group)
		}
		g.blocks[i] = nil
	}
	names.flush(entries)
	*g = gathering{}
	return entries
}

// takeName decodes a name, given the previous one.
func takeName(b, before []byte) (rest, name []byte) {
	shared, n := binary.Uvarint(b)
	b = b[n:]
	length, n := binary.Uvarint(b)
	b = b[n:]
	return b[length:], append(before[:shared], b[:length]...)
}

func (g *gathering) label(b []byte) (string, []byte) {
	i, n := binary.Uvarint(b)
	return g.labels[i], b[n:]
}

// packing makes the names of many entries parts of one string: separately they
// would take a third more.
type packing struct {
	bytes []byte
	parts []parts // of the last entries, which have no names yet
}

// parts holds the bounds of an entry's names.
type parts struct{ key, keyEnd, group, groupEnd int }

const packed = 1 << 13 // entries per string

// add stores the names of the last of the entries.
func (p *packing) add(entries []Entry, key, group []byte) {
	var at parts
	at.key = len(p.bytes)
	p.bytes = append(p.bytes, key...)
	at.keyEnd = len(p.bytes)
	if n := len(p.parts); n > 0 && bytes.Equal(p.bytes[p.parts[n-1].group:p.parts[n-1].groupEnd], group) {
		at.group, at.groupEnd = p.parts[n-1].group, p.parts[n-1].groupEnd
	} else {
		at.group = len(p.bytes)
		p.bytes = append(p.bytes, group...)
		at.groupEnd = len(p.bytes)
	}
	if p.parts = append(p.parts, at); len(p.parts) == packed {
		p.flush(entries)
	}
}

// flush sets the names of the pending entries, which are the last.
func (p *packing) flush(entries []Entry) {
	names := string(p.bytes)
	waiting := entries[len(entries)-len(p.parts):]
	for i, at := range p.parts {
		waiting[i].Key, waiting[i].Group = names[at.key:at.keyEnd], names[at.group:at.groupEnd]
	}
	p.bytes, p.parts = p.bytes[:0], p.parts[:0]
}
