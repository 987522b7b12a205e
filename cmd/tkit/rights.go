package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"time"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/datasets"
	"tkit/registry"
	"tkit/train/job"
)

// watched is how often a run looks whether it may go on.
const watched = time.Second

// hold returns a context that ends when a permission is lost. Release says why
// it was lost, or nil where ctx ended before.
func hold(ctx context.Context, permission *access.Permission) (held context.Context, release func() (lost error)) {
	held, stop := permission.Hold(ctx, watched)
	return held, func() error {
		lost := context.Cause(held)
		stop()
		if ctx.Err() != nil {
			return nil
		}
		return lost
	}
}

// trainingRights are what who runs the command may do with the data and the base
// of a training.
type trainingRights struct {
	c        *cli.Context
	registry *registry.Registry
	asking   *asking
	policy   *access.Policy

	dataset    *dataset
	source     datasets.Source // nil until it is open
	permission *access.Permission
	names      []string            // of the registered datasets that the data is of
	release    func() (lost error) // nil until the run begins
}

var _ job.Rights = (*trainingRights)(nil)

// Find finds the dataset.
func (t *trainingRights) Find(_ context.Context, data string) (err error) {
	if t.policy, err = t.asking.policy(t.c); err != nil {
		return err
	}
	t.dataset, err = findDataset(t.policy, data)
	return err
}

// Begin decides whether the run may begin, before anything is read.
func (t *trainingRights) Begin(ctx context.Context, base *registry.Manifest) (held context.Context, err error) {
	needs := access.Needs{Data: []access.Data{t.dataset.data}}
	if base != nil {
		if needs.Base, err = catalog.Origins(ctx, t.registry, base); err != nil {
			return nil, err
		}
	}
	who := t.asking.who
	t.permission = t.asking.NewPermission(access.Caller{Principal: who.Principal, Purpose: who.Purpose}, needs)
	if err := t.permission.Authorize(ctx); err != nil {
		return nil, err
	}
	t.dataset.whole = t.dataset.restricted(t.policy)
	held, t.release = hold(ctx, t.permission)
	t.dataset.admit = func(user, opened string) error {
		var err error
		if t.dataset.data, err = t.policy.Opened(t.dataset.data, user, opened); err != nil {
			return err
		}
		// What was opened may be restricted where what its name led to was not.
		t.dataset.whole = t.dataset.whole || t.dataset.restricted(t.policy)
		return t.permission.Opened(held, user, opened)
	}
	return held, nil
}

// Open opens the dataset.
func (t *trainingRights) Open(ctx context.Context) (datasets.Source, bool, error) {
	var err error
	t.source, err = t.dataset.open(ctx)
	return t.source, t.dataset.whole, err
}

// Found decides again by the content of the data: it may be a copy of a
// registered dataset.
func (t *trainingRights) Found(ctx context.Context, s *datasets.Snapshot, r *datasets.Report) (found job.Terms, err error) {
	if t.names, err = t.permission.Found(ctx, s.Digest, len(s.Entries)); err != nil {
		return found, err
	}
	found.Datasets = t.names
	if found.Names, err = t.mayName(s); err != nil {
		return found, err
	}
	if len(t.names) > 0 {
		if err := whole(r); err != nil {
			return found, err
		}
		t.permission.Watch(t.someOf(s))
	}
	found.Domain, err = t.permission.Domain(ctx)
	return found, err
}

// mayName decides whether who trains may read the names of images in the report:
// to train on data is not to see it.
func (t *trainingRights) mayName(s *datasets.Snapshot) (bool, error) {
	p, err := t.asking.policy(t.c)
	if err != nil {
		return false, err
	}
	data := t.dataset.data
	data.Digest = s.Digest
	err = mayRead(t.c, t.asking, p, data, datasets.User(t.source))
	if errors.Is(err, access.ErrDenied) {
		return false, nil
	}
	return err == nil, err
}

// Register asks the store for every file of restricted data, decides once more
// and registers. The decision is recorded before, and holds in the transaction.
func (t *trainingRights) Register(ctx context.Context, n registry.Registration, s *datasets.Snapshot) (registry.Version, error) {
	if len(t.names) > 0 {
		if err := datasets.MayRead(ctx, t.source, keysOf(s.Entries)); err != nil {
			return registry.Version{}, err
		}
	}
	if err := t.permission.Authorize(ctx); err != nil {
		return registry.Version{}, err
	}
	n.Permitted = t.permission.Check
	v, err := t.registry.Register(ctx, n)
	if err != nil {
		err = fmt.Errorf("register: %w", err)
	}
	return v, err
}

// Promote makes a version the production version.
func (t *trainingRights) Promote(ctx context.Context, m *registry.Manifest, by registry.Change) error {
	_, err := moveAlias(t.c, t.registry, m.Model, "promote", func(admit registry.AdmitMove) (registry.Alias, error) {
		return t.registry.Promote(ctx, m.Model, m.Version, registry.Production, by, admit)
	})
	return err
}

// End closes the data, and finds out why the run ended.
func (t *trainingRights) End(ctx context.Context, err error) error {
	lost := t.release()
	if errors.Is(err, datasets.ErrDenied) && !errors.Is(err, access.ErrDenied) && ctx.Err() == nil {
		err = t.permission.Denied(ctx, err)
	}
	if err != nil && lost != nil {
		err = fmt.Errorf("%w; nothing was registered", lost)
	}
	if t.source != nil { // which the looks asked
		err = errors.Join(err, datasets.Close(t.source))
	}
	return err
}

// whole says what of restricted data the store has withheld. That it is restricted
// may be known only now, by its content.
func whole(r *datasets.Report) error {
	for _, q := range r.Quarantined {
		if q.Reason == datasets.Denied {
			return fmt.Errorf("%s: the dataset is used whole or not at all: %w: %w: %s", q.Key, datasets.ErrDenied, fs.ErrPermission, q.Detail)
		}
	}
	return nil
}

// perLook is how many files the store is asked for with each look.
const perLook = 16

// someOf asks the store for the next few files of a snapshot each time it is
// called, and from the first again after the last.
func (t *trainingRights) someOf(s *datasets.Snapshot) func(context.Context) error {
	next := 0
	return func(ctx context.Context) error {
		from := next
		if next += perLook; next >= len(s.Entries) {
			next = 0
		}
		return datasets.MayRead(ctx, t.source, keysOf(s.Entries[from:min(from+perLook, len(s.Entries))]))
	}
}

func keysOf(entries []datasets.Entry) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, e := range entries {
			if !yield(e.Key) {
				return
			}
		}
	}
}
