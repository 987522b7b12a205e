package datasets

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"tkit/internal/preprocessing"
)

// Reason is why an example is quarantined.
type Reason string

// The reasons.
const (
	Empty         Reason = "empty"                // no bytes, or a class folder without files
	Unreadable    Reason = "unreadable"           // the store returned an error for this example
	Denied        Reason = "denied"               // the store's user may not read it
	Refused       Reason = "refused"              // a link out of the root, a named pipe and the like
	Unlabelled    Reason = "unlabelled"           // in no class
	NotAnImage    Reason = "not an image"         // not in a known format
	Truncated     Reason = "truncated"            // ends before the image does
	Corrupt       Reason = "corrupt"              // violates its format
	TooManyPixels Reason = "too many pixels"      // above the bound on the decoded size
	TooCostly     Reason = "too costly to decode" // far more work than its number of pixels justifies
	TooLarge      Reason = "too large"            // above the bound on the encoded size
	Conflict      Reason = "conflict"             // the same bytes also occur under another label
	Undecodable   Reason = "undecodable"          // complete, but the decoder failed
)

// Quarantined is an example that is not used, with the reason.
type Quarantined struct {
	Key    string `json:"key"`
	Label  string `json:"label,omitempty"`
	Reason Reason `json:"reason"`
	Detail string `json:"detail,omitempty"`
}

// String returns the key, the reason and the detail in one line.
func (q Quarantined) String() string {
	if q.Detail == "" {
		return fmt.Sprintf("%s: %s", q.Key, q.Reason)
	}
	return fmt.Sprintf("%s: %s: %s", q.Key, q.Reason, q.Detail)
}

// Misnamed is an example whose extension and format differ. It is used.
type Misnamed struct {
	Key       string               `json:"key"`
	Extension string               `json:"extension"`
	Format    preprocessing.Format `json:"format"`
}

// ClassCount is one class of a dataset.
type ClassCount struct {
	Label       string `json:"label"`
	Examples    int    `json:"examples"` // usable ones
	Quarantined int    `json:"quarantined,omitempty"`
	// Train, Validation and Test count the images on each side of the split if
	// Report.Sides is set, else those that the dataset fixes to a side.
	Train      int `json:"train,omitempty"`
	Validation int `json:"validation,omitempty"`
	Test       int `json:"test,omitempty"`
}

// Report is the result of taking a snapshot. Its lists are ordered by key, the
// classes by label.
type Report struct {
	URI      string `json:"uri"`
	Digest   string `json:"digest"`   // of the snapshot
	Examples int    `json:"examples"` // usable ones
	Bytes    int64  `json:"bytes"`    // of the usable ones

	// Layout says how names were interpreted. It is nil if the source does not
	// say.
	Layout *Layout `json:"layout,omitempty"`
	// Notes has sentences about unusual ways in which the source read the
	// examples. They name no example.
	Notes []string `json:"notes,omitempty"`

	// Classes has every label seen, even if all its examples are quarantined.
	Classes []ClassCount `json:"classes"`
	// Beside lists folders next to the classes that contain no images but, for
	// example, annotations. They are not classes.
	Beside []string `json:"beside,omitempty"`
	// Imbalance is the number of examples of the largest class divided by that
	// of the smallest non-empty one: 1 is balanced. It is 0 if there are none.
	Imbalance float64 `json:"imbalance"`
	// Sizes is nil if no image was complete, and for files of any format.
	Sizes *Sizes `json:"sizes,omitempty"`
	// Details is nil if Sizes is.
	Details *Details `json:"details,omitempty"`
	// Sides is nil before Divide.
	Sides *Sides `json:"sides,omitempty"`
	// Near is nil if near duplicates were not searched for, and for files of
	// any format.
	Near *NearDuplicates `json:"near_duplicates,omitempty"`

	// ListDifferences are the ways in which names in a list differ from the
	// files. Unlisted counts files that the list omits, nil if there are none.
	ListDifferences []ListDifference `json:"list_differences,omitempty"`
	Unlisted        *Unlisted        `json:"unlisted,omitempty"`

	Quarantined []Quarantined `json:"quarantined,omitempty"`
	Misnamed    []Misnamed    `json:"misnamed,omitempty"`
	// Duplicates has groups of keys with identical bytes and the same label.
	// All of them are used and stay on one side of a split.
	Duplicates [][]string `json:"duplicates,omitempty"`
	// Conflicts has groups of keys with identical bytes and different labels.
	// All of them are quarantined.
	Conflicts [][]string `json:"conflicts,omitempty"`

	folders bool // Reading.Folders of the source
	unnamed bool // see Unnamed
}

// Without returns the report after the given keys of its snapshot s turned out
// to be undecodable, the counterpart of s.Without.
func (r *Report) Without(s *Snapshot, reasons map[string]string) *Report {
	n := *r
	n.Quarantined = slices.Clone(r.Quarantined)
	for _, e := range s.Entries {
		if detail, out := reasons[e.Key]; out {
			n.Quarantined = append(n.Quarantined, Quarantined{Key: e.Key, Label: e.Label, Reason: Undecodable, Detail: detail})
		}
	}
	n.Misnamed = slices.DeleteFunc(slices.Clone(r.Misnamed), func(m Misnamed) bool {
		_, out := reasons[m.Key]
		return out
	})
	n.Near = r.Near.without(reasons)
	n.Duplicates = nil
	for _, group := range r.Duplicates {
		group = slices.DeleteFunc(slices.Clone(group), func(key string) bool {
			_, out := reasons[key]
			return out
		})
		if len(group) > 1 {
			n.Duplicates = append(n.Duplicates, group)
		}
	}
	n.sort()
	n.count(s.Without(reasons))
	return &n
}

// identical records a group of entries with the same bytes, given as indices in
// key order: as duplicates, or as a conflict whose members are added to out.
func (r *Report) identical(entries []Entry, group []int32, out map[int]bool) {
	keys := make([]string, len(group))
	var labels []string
	for i, at := range group {
		keys[i] = entries[at].Key
		if l := entries[at].Label; !slices.Contains(labels, l) {
			labels = append(labels, l)
		}
	}
	if len(labels) == 1 {
		r.Duplicates = append(r.Duplicates, keys)
		return
	}
	r.Conflicts = append(r.Conflicts, keys)
	for i, at := range group {
		other := slices.IndexFunc(group, func(o int32) bool { return entries[o].Label != entries[at].Label })
		out[int(at)] = true
		r.Quarantined = append(r.Quarantined, Quarantined{
			Key: keys[i], Label: entries[at].Label, Reason: Conflict,
			Detail: fmt.Sprintf("the same bytes are %s, labelled %s", keys[other], entries[group[other]].Label),
		})
	}
}

// Reasons counts the quarantined examples by reason.
func (r *Report) Reasons() map[Reason]int {
	counts := make(map[Reason]int)
	for _, q := range r.Quarantined {
		counts[q.Reason]++
	}
	return counts
}

func (r *Report) sort() {
	slices.SortStableFunc(r.Quarantined, func(a, b Quarantined) int { return cmp.Compare(a.Key, b.Key) })
	byFirst := func(a, b []string) int { return cmp.Compare(a[0], b[0]) }
	slices.SortFunc(r.Duplicates, byFirst)
	slices.SortFunc(r.Conflicts, byFirst)
}

// count sets the fields that follow from the snapshot and the quarantined
// examples.
func (r *Report) count(s *Snapshot) {
	r.Digest, r.Examples, r.Bytes = s.Digest, len(s.Entries), 0
	counts := make(map[string]*ClassCount)
	class := func(label string) *ClassCount {
		c := counts[label]
		if c == nil {
			c = &ClassCount{Label: label}
			counts[label] = c
		}
		return c
	}
	for _, e := range s.Entries {
		r.Bytes += e.Size
		class(e.Label).Examples++
	}
	r.Beside = r.foldersBeside(counts)
	for _, q := range r.Quarantined {
		if _, beside := slices.BinarySearch(r.Beside, q.Label); q.Label != "" && !beside {
			class(q.Label).Quarantined++
		}
	}
	r.Classes, r.Imbalance = make([]ClassCount, 0, len(counts)), 0
	smallest, largest := 0, 0
	for _, c := range counts {
		r.Classes = append(r.Classes, *c)
		largest = max(largest, c.Examples)
		if c.Examples > 0 && (smallest == 0 || c.Examples < smallest) {
			smallest = c.Examples
		}
	}
	slices.SortFunc(r.Classes, func(a, b ClassCount) int { return cmp.Compare(a.Label, b.Label) })
	if smallest > 0 {
		r.Imbalance = float64(largest) / float64(smallest)
	}
}

// extensions maps common extensions to formats. Formats that tkit does not
// decode are included: a file with such an extension and another format is
// misnamed.
var extensions = map[string]preprocessing.Format{
	".jpg": preprocessing.JPEG, ".jpeg": preprocessing.JPEG, ".jpe": preprocessing.JPEG, ".jfif": preprocessing.JPEG,
	".png": preprocessing.PNG, ".gif": preprocessing.GIF, ".webp": preprocessing.WebP,
	".bmp": preprocessing.BMP, ".dib": preprocessing.BMP,
	".tif": "tiff", ".tiff": "tiff", ".heic": "heic", ".avif": "avif", ".jp2": "jpeg 2000", ".svg": "svg", ".pdf": "pdf", ".txt": "text",
}

// misnamed reports whether a key's extension promises another format. A key
// without a known extension promises none, and neither does a file whose format
// was not examined.
func misnamed(key string, f preprocessing.Format) (extension string, wrong bool) {
	extension = path.Ext(key)
	meant, known := extensions[strings.ToLower(extension)]
	return extension, known && f != "" && meant != f
}
