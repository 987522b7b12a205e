// Package spelling measures how far a name is from one that may have been
// meant, for errors that suggest.
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

// Nearest is the one of names that was most likely meant by given, "" where none
// is near: at most a third of its letters, and two in a short name, are other
// ones.
func Nearest(given string, names []string) string {
	nearest, least := "", max(2, len(given)/3)+1
	for _, name := range names {
		if d := Distance(given, name); d < least && d < len(name) {
			nearest, least = name, d
		}
	}
	return nearest
}
