package files

import (
	"cmp"
	"container/heap"
	"iter"
	"strings"
)

// KeyOrder sorts a listing of one directory by name into the order of
// Tree.List. The names must ascend, by their bytes or by their bytes as signed
// numbers, as in HDFS. It holds back only entries that a later name may
// precede: a directory until the names that continue with a byte below the
// slash have passed, and in signed order the names with bytes above 0x7f until
// the others with the same prefix have passed.
func KeyOrder(listing iter.Seq2[Info, error]) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		var held infoHeap
		for info, err := range listing {
			if err != nil {
				yield(Info{}, err)
				return
			}
			heap.Push(&held, info)
			// All later names are above this one in the listing's order. In key
			// order they are above the prefix before the first byte on which
			// the two orders differ.
			bound := info.Path
			if at := strings.IndexFunc(bound, func(r rune) bool { return r > 0x7f }); at >= 0 {
				bound = bound[:at]
			}
			for len(held) > 0 && held[0].SortKey() <= bound {
				if !yield(heap.Pop(&held).(Info), nil) {
					return
				}
			}
		}
		for len(held) > 0 {
			if !yield(heap.Pop(&held).(Info), nil) {
				return
			}
		}
	}
}

// infoHeap has the first entry in key order at its root.
type infoHeap []Info

func (h infoHeap) Len() int           { return len(h) }
func (h infoHeap) Less(i, j int) bool { return cmp.Less(h[i].SortKey(), h[j].SortKey()) }
func (h infoHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *infoHeap) Push(x any)        { *h = append(*h, x.(Info)) }
func (h *infoHeap) Pop() any {
	last := len(*h) - 1
	info := (*h)[last]
	(*h)[last] = Info{}
	*h = (*h)[:last]
	return info
}
