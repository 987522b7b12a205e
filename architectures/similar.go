package architectures

import (
	"slices"
	"strings"
)

// similar names the architectures that the user may have meant: those that
// begin as the given name does, or are a few edits away, nearest first.
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
		edits := distance(given, known)
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

// distance is the Levenshtein distance of two short strings.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
