package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tkit/access"
	"tkit/datasets"
	"tkit/datasets/all"
)

// DatasetOptions describe a dataset to register.
type DatasetOptions struct {
	Name  string
	URI   string           // or a path of this machine
	Owner access.Principal // "" means the caller
}

// RegisterDataset gives the data at a place a name and an owner, who from then
// on decides who may do what with it. Only an administrator may do this.
func (c *Catalog) RegisterDataset(ctx context.Context, who access.Caller, o DatasetOptions) (access.Registered, error) {
	who, err := c.authority.Resolve(ctx, who)
	if err != nil {
		return access.Registered{}, err
	}
	if o.Owner == "" {
		o.Owner = who.Principal
	}
	return c.authority.RegisterDataset(ctx, who, o.Name, o.URI, o.Owner)
}

// A ListedDataset is a registered dataset with the number of its snapshots.
type ListedDataset struct {
	access.Registered
	Snapshots int `json:"-"`
}

// ListDatasets returns the registered datasets that the caller may list, by name.
// It writes one record of these, and one of the others.
func (c *Catalog) ListDatasets(ctx context.Context, who access.Caller) ([]ListedDataset, error) {
	who, p, err := c.begin(ctx, who)
	if err != nil {
		return nil, err
	}
	seen, err := c.authority.ListDatasets(ctx, p, who)
	listed := make([]ListedDataset, len(seen))
	for i, d := range seen {
		listed[i] = ListedDataset{d, len(p.Snapshots(d.Name))}
	}
	return listed, err
}

// A Dataset is a registered dataset, its snapshots, and what the caller may do
// with it.
type Dataset struct {
	access.Registered
	Snapshots []access.Snapshot `json:"snapshots"`
	You       []RightDecision   `json:"you"`
}

// ShowDataset returns a registered dataset to callers who may list it.
func (c *Catalog) ShowDataset(ctx context.Context, who access.Caller, name string) (Dataset, error) {
	who, p, err := c.begin(ctx, who)
	if err != nil {
		return Dataset{}, err
	}
	d, err := c.listable(ctx, p, who, "show", name)
	if err != nil {
		return Dataset{}, err
	}
	you, err := c.decisions(ctx, p, who, access.Request{Object: access.Dataset(name)},
		access.List, access.Read, access.Train, access.Use, access.Download, access.Promote, access.Administer)
	return Dataset{d, p.Snapshots(name), you}, err
}

// DatasetSnapshots returns the contents that a registered dataset was found to
// have, the oldest first, to callers who may list it.
func (c *Catalog) DatasetSnapshots(ctx context.Context, who access.Caller, name string) ([]access.Snapshot, error) {
	who, p, err := c.begin(ctx, who)
	if err != nil {
		return nil, err
	}
	if _, err := c.listable(ctx, p, who, "snapshots", name); err != nil {
		return nil, err
	}
	return p.Snapshots(name), nil
}

// listable finds a registered dataset and decides whether the caller may list it.
func (c *Catalog) listable(ctx context.Context, p *access.Policy, who access.Caller, action, name string) (access.Registered, error) {
	d, err := p.Registered(name)
	if err != nil {
		return d, err
	}
	_, err = c.authority.AuthorizeBy(ctx, p, who, access.Request{Action: action, Right: access.List, Object: access.Dataset(name)})
	return d, err
}

// An UnknownError is the error of a name that means neither a file nor anything in the
// home.
type UnknownError struct{ Err error }

func (e *UnknownError) Error() string { return e.Err.Error() }

func (e *UnknownError) Unwrap() error { return e.Err }

// unknownData explains the error of data that is no file.
func unknownData(given string, err error) error {
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case access.CheckName(given) == nil:
		err = fmt.Errorf("%w, and no registered dataset has this name", err)
	}
	return &UnknownError{err}
}

// located is what the name, path or URI of a dataset means.
type located struct {
	uri  string // opens it
	data access.Data
}

// locate resolves a name, path or URI. Unregistered data is found only for the
// account that this process runs as, because others may not use the files of that
// account.
func (c *Catalog) locate(ctx context.Context, p *access.Policy, who access.Caller, action, given string) (located, error) {
	name, explicit := strings.CutPrefix(given, "dataset:")
	registered, err := p.Registered(name)
	isName := err == nil && access.CheckName(name) == nil
	if explicit && !isName {
		return located{}, err
	}
	account := c.authority.IsAccount(who)
	if isName {
		if _, err := os.Lstat(given); err == nil && !explicit && account {
			return located{}, fmt.Errorf("%s is both a registered dataset and a file here: write dataset:%[1]s or .%c%[1]s", given, filepath.Separator)
		}
		return located{registered.URI, access.Data{Datasets: []string{name}, URI: registered.URI}}, nil
	}
	if !account {
		return located{}, c.authority.RequireAccount(ctx, who, action)
	}
	uri, err := all.URI(given)
	if err == nil {
		uri, _, err = access.Locate(uri)
	}
	return located{uri, access.Data{URI: uri}}, unknownData(given, err)
}

// An OpenDataset is a dataset that a caller may read.
type OpenDataset struct {
	Source datasets.Source

	catalog *Catalog
	who     access.Caller
	policy  *access.Policy // that decided
	action  string
	located
}

// OpenDataset opens a registered dataset by its name, or data by its path or URI,
// for callers who may read it. Action is recorded, such as "check". The decision
// is recorded for each registered dataset that the data belongs to, and again if
// opening the data reveals more of them, or the user that its store is read as.
// The caller closes the dataset.
//
// Only the account that this process runs as can open unregistered data.
func (c *Catalog) OpenDataset(ctx context.Context, who access.Caller, action, given string) (*OpenDataset, error) {
	d, err := c.findReadable(ctx, who, action, given)
	if err != nil {
		return nil, err
	}
	return d, d.open(ctx)
}

// findReadable finds a dataset and decides whether the caller may read it.
func (c *Catalog) findReadable(ctx context.Context, who access.Caller, action, given string) (*OpenDataset, error) {
	who, p, err := c.begin(ctx, who)
	if err != nil {
		return nil, err
	}
	found, err := c.locate(ctx, p, who, action, given)
	if err != nil {
		return nil, err
	}
	d := &OpenDataset{catalog: c, who: who, policy: p, action: action, located: found}
	return d, c.authorizeRead(ctx, p, who, action, d.data)
}

// open opens the source. It decides again about what was opened, before anything
// of it is read, because the name may have led to something else before.
func (d *OpenDataset) open(ctx context.Context) (err error) {
	d.Source, err = all.OpenIf(ctx, d.uri, func(user, opened string) error {
		before := d.policy.DatasetsOf(d.data)
		if d.data, err = d.policy.Opened(d.data, user, opened); err != nil {
			return err
		}
		if user == "" && slices.Equal(before, d.policy.DatasetsOf(d.data)) {
			return nil // was decided already
		}
		return d.catalog.authorizeRead(ctx, d.policy, d.who, d.action, d.data)
	})
	return err
}

// Close closes the source.
func (d *OpenDataset) Close() error { return datasets.Close(d.Source) }

// Found decides again once the content of the data is known: it may be a copy of
// a registered dataset.
func (d *OpenDataset) Found(ctx context.Context, s *datasets.Snapshot) error {
	who, p, err := d.catalog.begin(ctx, d.who)
	if err != nil {
		return err
	}
	data := d.data
	data.Digest, data.Store = s.Digest, datasets.User(d.Source)
	return d.catalog.authorizeRead(ctx, p, who, d.action, data)
}

// authorizeRead decides whether a caller may read data, by all datasets that it
// belongs to.
func (c *Catalog) authorizeRead(ctx context.Context, p *access.Policy, who access.Caller, action string, data access.Data) error {
	for _, object := range p.DatasetsOf(data) {
		q := access.Request{Action: action, Right: access.Read, Object: object, Data: []string{data.Version(object)}, Store: data.Store}
		if _, err := c.authority.AuthorizeBy(ctx, p, who, q); err != nil {
			return err
		}
	}
	return nil
}
