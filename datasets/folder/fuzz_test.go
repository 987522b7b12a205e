package folder

import (
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/internal/fuzztest"
)

// The side, the label and the rest of a file's name are what its elements say,
// and nothing of the name is lost.
func FuzzPlace(f *testing.F) {
	for _, s := range []string{"cats/1.png", "train/cats/1.png", "val/x", "top.png", "TEST//x", "a/"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, key string, splits bool) {
		defer fuzztest.Watch(t, len(key))()
		split, label, rest := (&Source{config: Config{Splits: splits}}).place(key)
		elements := strings.Split(key, "/")
		if split != "" {
			if got, ok := datasets.ParseSplit(elements[0]); !splits || !ok || got != split {
				t.Errorf("%q is on the side %q", key, split)
			}
			elements = elements[1:]
		}
		if label != "" && label != elements[0] || !strings.HasSuffix(key, rest) || len(rest) < len(key)-len(split)-len(label)-len("validation//") {
			t.Errorf("%q is %q, %q, %q", key, split, label, rest)
		}
	})
}
