package architectures

import (
	"slices"
	"strings"

	"tkit/internal/spelling"
)

// similar lists names similar to the given one: those with the same beginning
// or a small edit distance, nearest first.
func similar(name string, all []Architecture) []string {
	type candidate struct {
		name  string
		edits int
	}
	plain := strings.NewReplacer("-", "", "_", "", ".", "").Replace
	given := plain(strings.ToLower(name))
	var found []candidate
	for _, a := range all {
		known := plain(a.Name)
		edits := spelling.Distance(given, known)
		if edits <= 2 || len(given) > 2 && strings.HasPrefix(known, given) {
			found = append(found, candidate{a.Name, edits})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.edits - b.edits })
	names := make([]string, 0, 5)
	for _, c := range found[:min(len(found), 5)] {
		names = append(names, c.name)
	}
	return names
}
