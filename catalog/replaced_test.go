package catalog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tkit/access"
	"tkit/datasets"
	"tkit/datasets/digits"
	"tkit/datasets/folder"
	"tkit/datasets/tarshards"
	"tkit/internal/needs"
)

// readReplaced decides on a dataset, opens it and returns the classes that are read.
// It calls replace between the decision and opening or, if late is set, after
// opening.
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

// writeSamples writes the digits 7 and 8, and 1 and 2, as folders and as shards.
func writeSamples(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, which := range map[string][]int{"plain": {7, 8}, "scans": {1, 2}} {
		err := errors.Join(digits.Write(t.Context(), filepath.Join(dir, name), which, folder.Format),
			digits.Write(t.Context(), filepath.Join(dir, name+"-tar"), which, tarshards.Format))
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// If a dataset is replaced after the decision, the new one is decided on or not read:
// a folder, a folder above it, a file, and a registered dataset.
func TestReplacedAfterTheDecision(t *testing.T) {
	samples := writeSamples(t)
	needs.Minutes(t)
	for name, c := range map[string]struct{ given, replaced, by string }{
		"folder":            {"plain", "plain", "data/scans"},
		"folder above":      {"above/scans", "above", "data"},
		"one shard":         {"tars/digits.tar", "tars/digits.tar", "data/digits.tar"},
		"folder of a shard": {"tars/digits.tar", "tars", "data"},
		"registered":        {"dataset:mine", "mine", "data/scans"},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, late %t", name, late), func(t *testing.T) {
				t.Parallel()
				f, dir := &fixture{Catalog: openCatalog(t, t.TempDir())}, t.TempDir()
				at := func(path string) string { return filepath.Join(dir, path) }
				for to, from := range map[string]string{
					"plain": "plain", "above/scans": "plain", "mine": "plain", "tars": "plain-tar", "data": "scans-tar", "data/scans": "scans",
				} {
					if err := os.CopyFS(at(to), os.DirFS(filepath.Join(samples, from))); err != nil {
						t.Fatal(err)
					}
				}
				f.registerSamples(t, at)
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
					t.Errorf("read %v, %v", labels, err)
				}
				if whole := name != "one shard"; late && whole && (err != nil || !slices.Equal(labels, []string{"7", "8"})) {
					t.Errorf("replaced after it was opened: read %v, %v", labels, err)
				}
			})
		}
	}
}

// registerSamples registers one sample with the account of this process as its owner,
// and the others with olga.
func (f *fixture) registerSamples(t *testing.T, at func(path string) string) {
	t.Helper()
	var err error
	if f.account, err = Self(""); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]DatasetOptions{
		"mine":            {Name: "mine"},
		"data/scans":      {Name: "scans", Owner: olga.Principal},
		"data/digits.tar": {Name: "shard", Owner: olga.Principal},
	} {
		o.URI = at(name)
		if _, err := f.RegisterDataset(t.Context(), f.account, o); err != nil {
			t.Fatal(err)
		}
	}
}
