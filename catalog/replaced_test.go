package catalog

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tkit/access"
	"tkit/datasets"
	"tkit/datasets/digits"
	"tkit/datasets/tarshards"
)

// readReplaced decides on a dataset, opens it and returns the classes that are read.
// It calls replace between the decision and opening, or after opening where late
// says so.
func (f *fixture) readReplaced(t *testing.T, given string, late bool, replace func()) (labels []string, err error) {
	t.Helper()
	d, err := f.findReadable(t.Context(), f.account, "check", given)
	if err != nil {
		return nil, err
	}
	if !late {
		replace()
	}
	if err := d.open(t.Context()); err != nil {
		return nil, err
	}
	if late {
		replace()
	}
	s, _, err := datasets.TakeSnapshot(t.Context(), d.Source, datasets.SnapshotOptions{})
	if err == nil {
		labels = s.Labels()
	}
	return labels, errors.Join(err, d.Close())
}

// What replaces a dataset after the decision is decided on, too, or not read: a
// folder, a folder above it, a file, and a registered dataset.
func TestReplacedAfterTheDecision(t *testing.T) {
	for name, c := range map[string]struct{ given, replaced, by string }{
		"folder":            {"plain", "plain", "data/scans"},
		"folder above":      {"above/scans", "above", "data"},
		"one shard":         {"tars/digits.tar", "tars/digits.tar", "data/digits.tar"},
		"folder of a shard": {"tars/digits.tar", "tars", "data"},
		"registered":        {"dataset:mine", "mine", "data/scans"},
	} {
		for _, late := range []bool{false, true} {
			f, dir := newFixture(t), t.TempDir()
			at := func(path string) string { return filepath.Join(dir, path) }
			for _, sample := range []string{"plain", "above/scans", "mine"} {
				writeDigits(t, at(sample), 7, 8)
			}
			writeDigits(t, at("data/scans"), 1, 2)
			for folder, which := range map[string][]int{"tars": {7, 8}, "data": {1, 2}} {
				err := errors.Join(digits.Write(t.Context(), at("made"), which, tarshards.Format), os.MkdirAll(at(folder), 0o755),
					os.Rename(at("made/digits.tar"), at(folder+"/digits.tar")), os.Remove(at("made")))
				if err != nil {
					t.Fatal(err)
				}
			}
			for name, owner := range map[string]access.Principal{"mine": "", "data/scans": olga.Principal, "data/digits.tar": olga.Principal} {
				o := DatasetOptions{Name: filepath.Base(name), URI: at(name), Owner: owner}
				if name == "data/scans" {
					o.Name = "others"
				}
				if _, err := f.RegisterDataset(t.Context(), f.account, o); err != nil {
					t.Fatal(err)
				}
			}
			given := c.given
			if given != "dataset:mine" {
				given = at(given)
			}
			labels, err := f.readReplaced(t, given, late, func() {
				err := errors.Join(os.Rename(at(c.replaced), at(c.replaced)+".before"), os.Symlink(at(c.by), at(c.replaced)))
				if err != nil {
					t.Error(err)
				}
			})
			if slices.Contains(labels, "1") || !late && !errors.Is(err, access.ErrDenied) && !errors.Is(err, datasets.ErrRefused) {
				t.Errorf("%s replaced (late: %t): read %v, %v", name, late, labels, err)
			}
			if whole := name != "one shard"; late && whole && (err != nil || !slices.Equal(labels, []string{"7", "8"})) {
				t.Errorf("%s replaced after it was opened: read %v, %v", name, labels, err)
			}
		}
	}
}
