package shards

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Fields holds a record's other fields, by name, for errors that list what
// exists.
type Fields map[string]Values

// shownFields and shownBytes bound the description of a record in an error.
const (
	shownFields = 12
	shownBytes  = 60
)

// String lists the fields and their contents.
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

// Short cuts a long name for errors and notes.
func Short(name string) string {
	if len(name) <= shownBytes {
		return name
	}
	return strings.ToValidUTF8(name[:shownBytes], "") + "…"
}

// labelWords are common words in names of labels.
var labelWords = []string{"label", "class", "target", "category", "species", "breed", "text"}

// Label returns the field that may be the label: one that can name a class,
// preferably with a suitable name. It returns NAME if there is none.
func (f Fields) Label() string {
	return f.likely(labelWords, func(v Values) bool {
		one, err := v.One()
		return err == nil && one != "" && len(one) < 100
	})
}

// likely returns a field with suitable values, preferably with one of these
// words in its name.
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

// imageWords are common words in names of images.
var imageWords = []string{"image", "img", "jpeg", "jpg", "png", "encoded", "picture", "photo"}

// Image returns the field that may be the image: one that does accepts,
// preferably with a suitable name. It returns NAME if there is none.
func (f Fields) Image(does func(Values) bool) string { return f.likely(imageWords, does) }
