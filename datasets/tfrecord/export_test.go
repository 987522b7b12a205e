package tfrecord

// For the tests that make files which Write does not.
var (
	Frame  = frame
	Masked = masked
)

// Parse is parseExample, for comparison: the number of values of each feature
// that has any, and its first.
func Parse(b []byte) (counts map[string]int, firsts map[string]string, err error) {
	parsed, err := parseExample(b)
	counts, firsts = make(map[string]int), make(map[string]string)
	for name, f := range parsed {
		if counts[name] = f.count; f.kind == kindBytes && f.count > 0 {
			firsts[name] = string(b[f.at : f.at+len(f.bytes)])
		} else {
			firsts[name] = f.label()
		}
	}
	return counts, firsts, err
}
