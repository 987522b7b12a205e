package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/datasets"
)

// opening runs between with a dataset that was decided on, opens it and returns
// the classes that are read, after another call of between where late says so.
func (g *guarded) opening(t *testing.T, given string, late bool, between func()) (labels []string, err error) {
	t.Helper()
	a := app()
	a.Commands = []*cli.Command{{Name: "open", Flags: []cli.Flag{purposeFlag()}, Action: withAuthority(1, 1, func(c *cli.Context, a *asking) error {
		d, err := readable(c, a, c.Args().First())
		if err != nil {
			return err
		}
		if !late {
			between()
		}
		src, err := d.open(c.Context)
		if err != nil {
			return err
		}
		if late {
			between()
		}
		s, _, err := datasets.TakeSnapshot(c.Context, src, datasets.SnapshotOptions{})
		if err == nil {
			labels = s.Labels()
		}
		return errors.Join(err, datasets.Close(src))
	})}}
	err = a.RunContext(context.Background(), []string{"tkit", "--home", g.home, "open", given})
	return labels, err
}

// What takes the place of a dataset after it was decided on is decided on too,
// or not read: a folder, a folder above it, a file, and a registered dataset.
func TestReplacedAfterTheDecision(t *testing.T) {
	for name, c := range map[string]struct{ given, replaced, by string }{
		"folder":            {"plain", "plain", "data/scans"},
		"folder above":      {"above/scans", "above", "data"},
		"one shard":         {"tars/digits.tar", "tars/digits.tar", "data/digits.tar"},
		"folder of a shard": {"tars/digits.tar", "tars", "data"},
		"registered":        {"dataset:mine", "mine", "data/scans"},
	} {
		for _, late := range []bool{false, true} {
			g := newGuarded(t)
			dir := filepath.Dir(g.home)
			at := func(path string) string { return filepath.Join(dir, path) }
			for _, sample := range []string{"plain", "above/scans", "mine"} {
				mustRun(t, g.home, "datasets", "sample", "--digits", "7,8", at(sample))
			}
			for folder, digits := range map[string]string{"tars": "7,8", "data": "1,2"} {
				mustRun(t, g.home, "datasets", "sample", "--format", "tar", "--digits", digits, at("made"))
				if err := os.MkdirAll(at(folder), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(at("made/digits.tar"), at(folder+"/digits.tar")); err != nil {
					t.Fatal(err)
				}
				if err := os.Remove(at("made")); err != nil {
					t.Fatal(err)
				}
			}
			mustRun(t, g.home, "datasets", "add", "mine", at("mine"))
			mustRun(t, g.home, "datasets", "add", "--owner", "user:olga", "shard", at("data/digits.tar"))
			given := c.given
			if given != "dataset:mine" {
				given = at(given)
			}
			labels, err := g.opening(t, given, late, func() {
				if err := os.Rename(at(c.replaced), at(c.replaced)+".before"); err != nil {
					t.Error(err)
				}
				if err := os.Symlink(at(c.by), at(c.replaced)); err != nil {
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
