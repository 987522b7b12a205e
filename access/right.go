package access

import (
	"fmt"
	"slices"
	"strings"
)

// A Right is what a principal may be allowed to do.
type Right string

// The rights. List to Administer apply to datasets. Use, Download and Promote
// apply to models; granted on a dataset, they apply to every model that was
// trained on it.
const (
	List       Right = "list"     // see that a dataset exists, and its snapshots
	Read       Right = "read"     // see the data: examples, reports, thumbnails
	Train      Right = "train"    // train a model on it
	Administer Right = "grant"    // change who has which right
	Use        Right = "use"      // use a model for predictions
	Download   Right = "download" // copy a model's weights, or build on them
	Promote    Right = "promote"  // move a model's aliases
)

// PromoteTo is the right to move one alias, such as "promote@candidate". Whoever has the
// right to promote has it for every alias, and whoever is denied one for an alias is
// not denied it for others.
func PromoteTo(alias string) Right { return Promote + "@" + Right(alias) }

// general returns the right that includes this one: promote for promote@candidate, and
// otherwise the right itself.
func (r Right) general() Right {
	name, alias, found := strings.Cut(string(r), "@")
	if found && Right(name) == Promote && isAlias(alias) {
		return Promote
	}
	return r
}

// isAlias reports whether an alias may have a name; the registry has the same rule.
func isAlias(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	return name != "" && len(name) <= 64 && strings.Contains(letters, name[:1]) && strings.Trim(name, letters+"._-") == "" &&
		strings.Trim(name, "0123456789") != ""
}

// rightsOn are the rights that can be granted on each kind of object.
var rightsOn = map[string][]Right{
	DatasetKind: {List, Read, Train, Administer, Use, Download, Promote},
	ModelKind:   {Administer, Use, Download, Promote},
}

// ParseRights reads rights separated by commas.
func ParseRights(s string) ([]Right, error) {
	var all []Right
	for word := range strings.SplitSeq(s, ",") {
		r := Right(strings.ToLower(strings.TrimSpace(word)))
		if !slices.Contains(rightsOn[DatasetKind], r.general()) {
			return nil, fmt.Errorf("%w: right %.40q: the rights are list, read, train, grant, use, download, promote and, for one alias, promote@ALIAS", ErrInvalid, word)
		}
		all = append(all, r)
	}
	return all, nil
}

// An Object is a dataset or a model to which rights apply: "dataset:scans" or
// "model:flowers".
type Object string

// The kinds of objects.
const (
	DatasetKind = "dataset"
	ModelKind   = "model"
)

// Dataset is the object of a registered dataset's name.
func Dataset(name string) Object { return Object(DatasetKind + ":" + name) }

// Model is the object of a model's name.
func Model(name string) Object { return Object(ModelKind + ":" + name) }

// Kind returns DatasetKind or ModelKind.
func (o Object) Kind() string { kind, _, _ := strings.Cut(string(o), ":"); return kind }

// Name is the object's name without its kind.
func (o Object) Name() string { _, name, _ := strings.Cut(string(o), ":"); return name }

// CheckName returns an error if a name cannot be a dataset's. The rules are
// those for models: lower-case letters, digits, ".", "_" and "-", a letter or
// digit first, at most 128.
func CheckName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	if name == "" || len(name) > 128 || !strings.Contains(letters, name[:1]) || strings.Trim(name, letters+"._-") != "" {
		return fmt.Errorf("%w: dataset name %.140q: use a-z, 0-9, \".\", \"_\" and \"-\", a letter or digit first, at most 128 of them", ErrInvalid, name)
	}
	return nil
}
