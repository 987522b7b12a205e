package tfrecord

import "tkit/datasets/shards"

// For tests that make files that Write does not.
var (
	Frame  = frame
	Masked = masked
)

// Parse is parseExample, for comparison: the values of each feature, and the
// first text of each.
func Parse(b []byte) (values map[string]shards.Values, texts map[string][]byte, err error) {
	parsed, err := parseExample(b)
	values, texts = make(map[string]shards.Values), make(map[string][]byte)
	for name, f := range parsed {
		values[name], texts[name] = f.Values, b[f.at:f.at+len(f.FirstText())]
	}
	return values, texts, err
}
