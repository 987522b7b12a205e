// Package spelling finds names similar to a misspelt one, for suggestions in
// errors.
package spelling

// Distance is the Levenshtein distance of two short strings: the least number
// of bytes inserted, removed or replaced that turn one into the other.
func Distance(a, b string) int {
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

// Nearest returns the name most similar to given, or "" if none is similar: at
// most a third of its letters may differ, or two in a short name.
func Nearest(given string, names []string) string {
	nearest, least := "", max(2, len(given)/3)+1
	for _, name := range names {
		if d := Distance(given, name); d < least && d < len(name) {
			nearest, least = name, d
		}
	}
	return nearest
}
