package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/datasets"
	"tkit/datasets/all"
)

// A dataset is what --data or a FOLDER names: a registered dataset, or a place.
type dataset struct {
	// uri opens it.
	uri  string
	data access.Data
	// whole says that it is restricted, and so used whole or not at all.
	whole bool
	// admit is asked, with the user that its store is read as and the URI of
	// what was opened, before anything there is looked at.
	admit func(user, opened string) error
}

// findDataset finds what a name, path or URI means.
func findDataset(p *access.Policy, given string) (*dataset, error) {
	name, explicit := strings.CutPrefix(given, "dataset:")
	if registered, err := p.Registered(name); err == nil && access.CheckName(name) == nil {
		if _, err := os.Lstat(given); err == nil && !explicit {
			return nil, fmt.Errorf("%s is a registered dataset and something here: write dataset:%[1]s or .%c%[1]s", given, filepath.Separator)
		}
		return &dataset{uri: registered.URI, data: access.Data{Datasets: []string{name}, URI: registered.URI}}, nil
	} else if explicit {
		return nil, err
	}
	uri, err := locate(given)
	if errors.Is(err, fs.ErrNotExist) && access.CheckName(given) == nil {
		err = fmt.Errorf("%w, and no registered dataset has the name", err)
	}
	if err != nil {
		return nil, err
	}
	return &dataset{uri: uri, data: access.Data{URI: uri}}, nil
}

// locate finds the URI of a path or URI with options.
func locate(given string) (string, error) {
	uri, err := all.URI(given)
	if err != nil {
		return "", err
	}
	uri, _, err = access.Locate(uri)
	return uri, err
}

// restricted says whether the dataset is, or overlaps, a registered one.
func (d *dataset) restricted(p *access.Policy) bool { return len(p.DatasetsOf(d.data)) > 0 }

// open opens the dataset.
func (d *dataset) open(ctx context.Context) (datasets.Source, error) {
	return all.OpenIf(ctx, d.uri, d.admit)
}

// readable decides whether who runs the command may see a dataset's data, and
// finds it. What nobody registered, they may where the files let them.
func readable(c *cli.Context, a *asking, given string) (*dataset, error) {
	p, err := a.policy(c)
	if err != nil {
		return nil, err
	}
	d, err := findDataset(p, given)
	if err != nil {
		return nil, err
	}
	d.admit = func(user, opened string) error {
		before := p.DatasetsOf(d.data)
		if d.data, err = p.Opened(d.data, user, opened); err != nil {
			return err
		}
		if user == "" && slices.Equal(before, p.DatasetsOf(d.data)) {
			return nil // has been decided
		}
		return mayRead(c, a, p, d.data, user)
	}
	return d, mayRead(c, a, p, d.data, "")
}

// mayRead decides whether who runs the command may read data, which its store
// reads as a user, by every dataset that it is of.
func mayRead(c *cli.Context, a *asking, p *access.Policy, data access.Data, user string) error {
	for _, object := range p.DatasetsOf(data) {
		if err := a.decide(c, access.Request{Action: c.Command.Name, Right: access.Read, Object: object, Data: []string{data.Version(object)}, Store: user}); err != nil {
			return err
		}
	}
	return nil
}
