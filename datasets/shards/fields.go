package shards

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Fields are what a record has beside what was looked for, by name, for errors
// that say what there is.
type Fields map[string]Values

// shownFields and shownBytes bound what an error says of a record.
const (
	shownFields = 12
	shownBytes  = 60
)

// String names the fields and what is in them.
func (f Fields) String() string {
	if len(f) == 0 {
		return "no other"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if len(all) == shownFields {
			all = append(all, fmt.Sprintf("%d more", len(f)-shownFields))
			break
		}
		all = append(all, fmt.Sprintf("%s (%s)", Short(name), f[name]))
	}
	return strings.Join(all, ", ")
}

// Short is a name that errors and notes may hold, however long it is.
func Short(name string) string {
	if len(name) <= shownBytes {
		return name
	}
	return strings.ToValidUTF8(name[:shownBytes], "") + "…"
}

// labelWords are words that people name labels for.
var labelWords = []string{"label", "class", "target", "category", "species", "breed", "text"}

// Label is the field that may be the label: one that can name a class, rather by
// a name that says so. It is NAME where none is.
func (f Fields) Label() string {
	return f.likely(labelWords, func(v Values) bool {
		one, err := v.One()
		return err == nil && one != "" && len(one) < 100
	})
}

// likely is a field of values that will do, rather by a name with one of these
// words.
func (f Fields) likely(words []string, does func(Values) bool) string {
	found := ""
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if !does(f[name]) {
			continue
		}
		if named(name, words) {
			return Short(name)
		}
		if found == "" {
			found = Short(name)
		}
	}
	if found == "" {
		return "NAME"
	}
	return found
}

func named(name string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(strings.ToLower(name), w) })
}

// imageWords are words that people name images for.
var imageWords = []string{"image", "img", "jpeg", "jpg", "png", "encoded", "picture", "photo"}

// Image is the field that may be the image: one that does, rather by a name that
// says so. It is NAME where none is.
func (f Fields) Image(does func(Values) bool) string { return f.likely(imageWords, does) }
