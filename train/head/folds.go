package head

import (
	"encoding/binary"
	"hash/maphash"
	"math"
)

// crossValidation divides a set into parts, each used to evaluate what was
// learnt from the others, with every class spread as evenly as possible.
// Examples with the same bottleneck, or of the same group, stay together;
// otherwise one would reveal the other's label. A class with a single
// bottleneck is only learnt; if every class is such, there are no parts.
func crossValidation(s Set, classes, folds int) []part {
	groups := distinct(s, classes)
	for _, class := range groups {
		if n := len(class); n >= 2 {
			folds = min(folds, n)
		}
	}
	held := make([][]int, folds) // examples by the fold that holds them out
	at := make([]int, s.Len())
	for i := range at {
		at[i] = -1
	}
	dealt := 0
	for _, class := range groups {
		if len(class) < 2 {
			continue
		}
		for _, group := range class {
			fold := dealt % folds
			dealt++
			held[fold] = append(held[fold], group...)
			for _, i := range group {
				at[i] = fold
			}
		}
	}
	if dealt == 0 {
		return nil
	}
	var parts []part
	for fold, judge := range held {
		var learn []int
		for i, f := range at {
			if f != fold {
				learn = append(learn, i)
			}
		}
		parts = append(parts, part{s.Select(learn), s.Select(judge)})
	}
	return parts
}

// distinct groups each class's examples by equal bottlenecks, or by the set's
// groups, in the order of their first members.
func distinct(s Set, classes int) [][][]int {
	type key struct {
		class int
		hash  uint64
	}
	seed := maphash.MakeSeed()
	groups := make([][][]int, classes)
	place := map[key]int{}
	var h maphash.Hash
	h.SetSeed(seed)
	buffer := make([]byte, 4*s.Dim)
	for i, y := range s.Labels {
		for j, v := range s.Row(i) {
			binary.LittleEndian.PutUint32(buffer[4*j:], math.Float32bits(v))
		}
		k := key{class: y}
		if s.Groups != nil {
			k.hash = uint64(s.Groups[i])
		} else {
			h.Reset()
			h.Write(buffer)
			k.hash = h.Sum64()
		}
		if p, ok := place[k]; ok {
			groups[y][p] = append(groups[y][p], i)
			continue
		}
		place[k] = len(groups[y])
		groups[y] = append(groups[y], []int{i})
	}
	return groups
}
