package folder

import (
	"slices"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/internal/fuzztest"
)

// The side, the label and the rest of a file's name are consistent with its
// elements.
func FuzzPlace(f *testing.F) {
	for _, s := range []string{"cats/1.png", "train/cats/1.png", "val/x", "top.png", "TEST//x", "a/", "a/b/Training/c/d.png", "a/test/x"} {
		for options := range uint8(4) {
			f.Add(s, options)
		}
	}
	f.Fuzz(func(t *testing.T, key string, options uint8) {
		defer fuzztest.Watch(t, len(key))()
		c := Config{Splits: options&1 > 0, Parent: options&2 > 0}
		split, label, rest := (&Source{config: c}).place(key)
		elements := strings.Split(key, "/")
		folders := elements[:len(elements)-1]
		side := func(name string) bool { got, _ := datasets.SideNamed(name); return got == split }
		if split != "" && (!c.Splits || !slices.ContainsFunc(folders, side)) {
			t.Errorf("%q is on the side %q", key, split)
		}
		if label != "" && !slices.Contains(folders, label) || !strings.HasSuffix(key, rest) {
			t.Errorf("%q is %q, %q, %q", key, split, label, rest)
		}
		if label == "" && split == "" && !c.Splits && len(folders) > 0 && folders[0] != "" && folders[len(folders)-1] != "" {
			t.Errorf("%q has no label", key)
		}
	})
}
