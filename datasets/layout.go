package datasets

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Reading describes how a source derives labels and sides of a split, for the
// report. A source provides it by a method Reading() Reading.
type Reading struct {
	// Labels says where labels come from, such as "the folders one level down".
	Labels string
	// Sides says where sides come from, such as "the folders above the
	// classes". It is empty if sides are not derived from names.
	Sides string
	// TakeSides says how to derive the sides from names.
	TakeSides string
	// Deeper says what to do if all images are below one folder, FOLDER, that
	// is not a class.
	Deeper string
	// Further says what to do if the classes are folders below those that were
	// read as the classes.
	Further string
	// Folders means that a label is the name of a folder, whatever its content.
	Folders bool
	// Shards means that keys begin with the name of a shard, as in package
	// shards.
	Shards bool
}

// Layout says how the names in a dataset were interpreted, and which of them
// may mean something else.
type Layout struct {
	Labels string `json:"labels"`
	Sides  string `json:"sides,omitempty"`
	// SideNames are the names that Sides were derived from, such as "valid".
	SideNames []string `json:"side_names,omitempty"`
	// Further is a folder with images below the class folders. Its own name is
	// ignored.
	Further string `json:"further,omitempty"`
	// FurtherRemedy says what to do if such folders are the classes.
	FurtherRemedy string `json:"further_remedy,omitempty"`
	// Warnings has a sentence for each name that may have been misinterpreted.
	Warnings []string `json:"warnings,omitempty"`
}

// text describes the layout in one line.
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

// The number of folders examined for classes further down, and of side names
// kept.
const (
	maxFolders   = 4096
	maxSideNames = 64
)

// layouts examines the names in the keys of a listing.
type layouts struct {
	reading Reading
	last    namedFolder
	folders map[namedFolder]bool
	// taken holds names that gave sides, and left names that look like sides
	// but did not, with their sides.
	taken, left map[string]string
}

// namedFolder is a folder with examples, in a shard or in the tree.
type namedFolder struct {
	shard string
	path  string
	label string // of the examples; "" if labels do not come from folders
	split string
}

func newLayouts(r Reading) *layouts {
	return &layouts{reading: r, folders: make(map[namedFolder]bool), taken: make(map[string]string), left: make(map[string]string)}
}

// add processes the next example of the listing.
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

// cutShard splits a key of package shards, SHARD!NNNNNNNNN/MEMBER.
func cutShard(key string) (shard, member string) {
	head, member, _ := strings.Cut(key, "/")
	if at := len(head) - 10; at > 0 && head[at] == '!' {
		return head[:at], member
	}
	return head, member
}

// judge makes the layout. classes are those of the report.
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

// sides returns the names in a folder's path and in the shard's name that look
// like a side.
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

// warnOfSides warns of names that look like sides and were not interpreted as
// sides. A single side is a warning only if it counts as a class: the training
// part of a dataset is a valid dataset.
func (l *layouts) warnOfSides(out *Layout, isClass bool) {
	names := slices.Sorted(maps.Keys(l.left))
	different := slices.Compact(slices.Sorted(maps.Values(l.left)))
	for i := range names {
		names[i] = fmt.Sprintf("%q", names[i])
	}
	if len(different) < 2 && !isClass {
		return
	}
	text, which := fmt.Sprintf("%s look like sides of a split but are not used as sides", some(names, shownNames)), "they are sides"
	if len(names) == 1 {
		text, which = fmt.Sprintf("the class %s has the name of a side of a split", names[0]), "it is one"
	} else if isClass {
		text = fmt.Sprintf("%s look like sides of a split but are used as classes", some(names, shownNames))
	}
	if l.reading.TakeSides != "" {
		text += fmt.Sprintf(": if %s, %s", which, l.reading.TakeSides)
	}
	out.Warnings = append(out.Warnings, text)
}

// warnOfRepeated warns if the same folders are below several classes: these may
// be sides of a split, or folds, under names that SideNamed does not know.
func (l *layouts) warnOfRepeated(out *Layout) {
	if l.reading.Further == "" {
		return
	}
	within := make(map[string]map[string]bool) // the last folder: the classes above it
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
		return // warnOfSides reports this
	}
	out.Warnings = append(out.Warnings, fmt.Sprintf("folders with the same names, %s, are below several classes, %s: %s; if the folders above them are sides of a split, name them train, validation and test",
		some(quoted(repeated, false), shownNames), some(quoted(above, false), shownNames), l.reading.Further))
}

// lookBelow looks for classes further down than the current ones.
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
	out.Warnings = append(out.Warnings, fmt.Sprintf("every image is below the folder %s, so there is one class: if %s are the classes, or sides of a split, %s",
		top, some(within, 3), strings.ReplaceAll(l.reading.Deeper, "FOLDER", top)))
}

// below returns the names in a folder's path, without the side of a split that
// was derived from it.
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

// readingOf returns how a source interprets names, if it says so.
func readingOf(src Source) (r Reading, ok bool) {
	if told, has := src.(interface{ Reading() Reading }); has {
		return told.Reading(), true
	}
	return Reading{}, false
}
