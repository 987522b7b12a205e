package datasets

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"runtime/debug"
	"strings"
)

// gathering collects entries whose number is not known before. A slice that
// grows is copied again and again, and is held twice each time; for a million
// entries that is most of the memory there should be. So entries are kept
// encoded until all are there, each name by what it does not share with the
// one before: that is under half the size of the slice.
type gathering struct {
	blocks [][]byte
	count  int
	last   Entry  // whose group the next is compared with
	key    []byte // the last entry's
	labels []string
	known  map[string]uint64 // indices in labels
}

const blockBytes = 1 << 18

// add appends an entry under a key, whatever key it has itself. Of that key's
// bytes, and of where its strings are from, nothing stays in memory.
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

// appendName encodes how much of the name before this one begins with, and the
// rest.
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
	// What the gathering of a large dataset left behind goes back to the
	// system first: the slice finds no room among it. Nor need what is next
	// to be done with the entries find room beside the encoded ones.
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

// takeName decodes a name over the one before it.
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

// packing gives entries their names as parts of one string for many: apart
// they take a third more.
type packing struct {
	bytes []byte
	parts []parts // of the last entries, that have no names yet
}

// parts is where the names of an entry begin and end.
type parts struct{ key, keyEnd, group, groupEnd int }

const packed = 1 << 13 // entries a string

// add takes the names of the last of the entries.
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

// flush gives the waiting entries, the last ones, their names.
func (p *packing) flush(entries []Entry) {
	names := string(p.bytes)
	waiting := entries[len(entries)-len(p.parts):]
	for i, at := range p.parts {
		waiting[i].Key, waiting[i].Group = names[at.key:at.keyEnd], names[at.group:at.groupEnd]
	}
	p.bytes, p.parts = p.bytes[:0], p.parts[:0]
}
