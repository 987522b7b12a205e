package datasets

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Reading says how a source takes labels and sides of a split from what it
// finds, for the report. A source tells it by a method Reading() Reading.
type Reading struct {
	// Labels is where labels are from, such as "the folders one level down".
	Labels string
	// Sides is where sides are from, such as "the folders above the classes".
	// It is empty where names do not tell sides.
	Sides string
	// TakeSides is what to do so that names tell the sides.
	TakeSides string
	// Deeper is what to do where all images are below one folder, FOLDER, that
	// is no class.
	Deeper string
	// Further is what to do where the classes are folders below those that
	// were read as the classes.
	Further string
	// Folders says that a label is the name of a folder, whatever is in it.
	Folders bool
	// Shards says that keys begin with the name of a shard, as package shards
	// makes them.
	Shards bool
}

// Layout says how the names in a dataset were read, and which of them may mean
// something else.
type Layout struct {
	Labels string `json:"labels"`
	Sides  string `json:"sides,omitempty"`
	// SideNames are the names that Sides were read from, such as "valid".
	SideNames []string `json:"side_names,omitempty"`
	// Further is a folder with images below those that are the classes. Its
	// own name counts for nothing.
	Further string `json:"further,omitempty"`
	// FurtherRemedy is what to do where such folders are the classes.
	FurtherRemedy string `json:"further_remedy,omitempty"`
	// Warnings are about names that may have been misread, a sentence each.
	Warnings []string `json:"warnings,omitempty"`
}

// text is the layout in one line.
func (l *Layout) text(count int) string {
	text := fmt.Sprintf("%s from %s", classes(count), l.Labels)
	if l.Further != "" {
		text += ", with the folders below them, such as " + l.Further
		if l.FurtherRemedy != "" {
			text += fmt.Sprintf(" (%s)", l.FurtherRemedy)
		}
	}
	if l.Sides != "" {
		text += "; sides of the split from " + l.Sides
		if len(l.SideNames) > 0 {
			text += ": " + some(l.SideNames, shownNames)
		}
	}
	return text
}

const shownNames = 6

// How many folders are looked at for classes further down, and how many names
// of sides are kept.
const (
	maxFolders   = 4096
	maxSideNames = 64
)

// layouts looks at the names in the keys of a listing.
type layouts struct {
	reading Reading
	last    namedFolder
	folders map[namedFolder]bool
	// taken are names that gave sides, and left those that look so and did
	// not, with the sides that they stand for.
	taken, left map[string]string
}

// namedFolder is a folder with examples, in a shard or in the tree.
type namedFolder struct {
	shard string
	path  string
	label string // of the examples; "" in folders where it is from elsewhere
	split string
}

func newLayouts(r Reading) *layouts {
	return &layouts{reading: r, folders: make(map[namedFolder]bool), taken: make(map[string]string), left: make(map[string]string)}
}

// add takes the next example of the listing.
func (l *layouts) add(e *Example) {
	f := namedFolder{path: e.Key, label: e.Label, split: e.Split}
	if l.reading.Shards {
		f.shard, f.path = cutShard(e.Key)
	}
	f.path, _ = path.Split(f.path)
	f.path = strings.TrimSuffix(f.path, "/")
	if f == l.last {
		return
	}
	l.last = f
	if names := f.below(); len(names) == 0 || names[0] != f.label {
		f.label = ""
	}
	if l.folders[f] {
		return
	}
	// The strings may be parts of a longer one, such as a row of a list.
	f.shard, f.path, f.label = strings.Clone(f.shard), strings.Clone(f.path), strings.Clone(f.label)
	into := l.left
	if f.split != "" {
		into = l.taken
	}
	for name, side := range f.sides() {
		if len(into) < maxSideNames {
			into[name] = side
		}
	}
	if len(l.folders) < maxFolders {
		l.folders[f] = true
	}
}

// cutShard parts a key of package shards, SHARD!NNNNNNNNN/MEMBER.
func cutShard(key string) (shard, member string) {
	head, member, _ := strings.Cut(key, "/")
	if at := len(head) - 10; at > 0 && head[at] == '!' {
		return head[:at], member
	}
	return head, member
}

// judge makes the layout of what was seen. Classes are those of the report.
func (l *layouts) judge(classes []ClassCount) *Layout {
	out := &Layout{Labels: l.reading.Labels, Sides: l.reading.Sides}
	if out.Sides != "" {
		out.SideNames = slices.Sorted(maps.Keys(l.taken))
	}
	isClass := false
	for _, c := range classes {
		if side, ok := SideNamed(c.Label); ok {
			l.left[c.Label], isClass = side, true
		}
	}
	l.warnOfSides(out, isClass)
	l.warnOfRepeated(out)
	l.lookBelow(out, len(classes))
	return out
}

// sides are the names in a folder's path, and the shard's, that stand for a
// side.
func (f namedFolder) sides() map[string]string {
	found := make(map[string]string)
	for name := range strings.SplitSeq(f.path, "/") {
		if side, ok := SideNamed(name); ok {
			found[name] = side
		}
	}
	if side, ok := SideIn(f.shard); ok {
		found[f.shard] = side
	}
	return found
}

// warnOfSides warns of names that look like sides and were not read as sides.
// One side alone is a warning only where it counts as a class: the training
// part of a dataset is a dataset.
func (l *layouts) warnOfSides(out *Layout, isClass bool) {
	names := slices.Sorted(maps.Keys(l.left))
	different := slices.Compact(slices.Sorted(maps.Values(l.left)))
	for i := range names {
		names[i] = fmt.Sprintf("%q", names[i])
	}
	if len(different) < 2 && !isClass {
		return
	}
	text, which := fmt.Sprintf("%s look like the sides of a split, and are not read as sides", some(names, shownNames)), "they are sides"
	if len(names) == 1 {
		text, which = fmt.Sprintf("the class %s is named like a side of a split", names[0]), "it is one"
	} else if isClass {
		text = fmt.Sprintf("%s look like the sides of a split, and are read as classes", some(names, shownNames))
	}
	if l.reading.TakeSides != "" {
		text += fmt.Sprintf(": if %s, %s", which, l.reading.TakeSides)
	}
	out.Warnings = append(out.Warnings, text)
}

// warnOfRepeated warns where the same folders are below several classes: these
// may be sides of a split, or folds, under names that SideNamed does not know.
func (l *layouts) warnOfRepeated(out *Layout) {
	if l.reading.Further == "" {
		return
	}
	within := make(map[string]map[string]bool) // the last folder: the classes that it is below
	for f := range l.folders {
		names := f.below()
		last := len(names) - 1
		if f.label == "" || last < 1 {
			continue
		}
		if _, side := SideNamed(names[last]); side {
			continue
		}
		if within[names[last]] == nil {
			within[names[last]] = make(map[string]bool)
		}
		within[names[last]][f.label] = true
	}
	all := len(within)
	maps.DeleteFunc(within, func(_ string, above map[string]bool) bool { return len(above) < 2 })
	if len(within) < 2 || 2*len(within) < all {
		return
	}
	repeated := slices.Sorted(maps.Keys(within))
	above := slices.Sorted(maps.Keys(within[repeated[0]]))
	if !slices.ContainsFunc(above, func(name string) bool { _, side := SideNamed(name); return !side }) {
		return // which warnOfSides tells
	}
	out.Warnings = append(out.Warnings, fmt.Sprintf("folders of the same names, %s, are below several classes, %s: %s; if the folders above them are sides of a split, name these train, validation and test",
		some(quoted(repeated, false), shownNames), some(quoted(above, false), shownNames), l.reading.Further))
}

// lookBelow looks for classes further down than where they were taken from.
func (l *layouts) lookBelow(out *Layout, classes int) {
	var paths [][]string
	for f := range l.folders {
		if f.label != "" {
			paths = append(paths, f.below())
		}
	}
	slices.SortFunc(paths, slices.Compare)
	if classes > 1 {
		if i := slices.IndexFunc(paths, func(names []string) bool { return len(names) > 1 }); i >= 0 {
			out.Further, out.FurtherRemedy = strings.Join(paths[i], "/"), l.reading.Further
		}
		return
	}
	if len(paths) < 2 {
		return
	}
	shared := paths[0]
	for _, p := range paths {
		shared = shared[:sharedNames(shared, p)]
	}
	seen := make(map[string]bool)
	for _, p := range paths {
		if len(p) > len(shared) {
			seen[p[len(shared)]] = true
		}
	}
	if len(seen) < 2 || len(shared) == 0 {
		return
	}
	top := strings.Join(shared, "/")
	within := slices.Sorted(maps.Keys(seen))
	for i := range within {
		within[i] = top + "/" + within[i]
	}
	out.Warnings = append(out.Warnings, fmt.Sprintf("every image is below the folder %s, so that there is one class: if %s are the classes, or sides of a split, %s",
		top, some(within, 3), strings.ReplaceAll(l.reading.Deeper, "FOLDER", top)))
}

// below are the names of a folder's path, less the side of a split that was
// read from it.
func (f namedFolder) below() []string {
	if f.path == "" {
		return nil
	}
	names := strings.Split(f.path, "/")
	if f.split == "" {
		return names
	}
	at := slices.IndexFunc(names, func(name string) bool {
		side, ok := SideNamed(name)
		return ok && side == f.split
	})
	return names[at+1:]
}

func sharedNames(a, b []string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// readingOf is how a source reads names, if it tells.
func readingOf(src Source) (r Reading, ok bool) {
	if told, has := src.(interface{ Reading() Reading }); has {
		return told.Reading(), true
	}
	return Reading{}, false
}
