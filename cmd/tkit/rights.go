package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/datasets"
	"tkit/internal/preprocessing"
	"tkit/train"
)

// watched is how often a run looks whether it may go on.
const watched = time.Second

// hold ends the command's context when a claim is lost, until the caller releases
// it. Release says why it was lost, or nil where it was not before the command's
// own context ended.
func hold(c *cli.Context, claim *access.Permission) (release func() (lost error)) {
	before := c.Context
	held, stop := claim.Hold(before, watched)
	c.Context = held
	return func() error {
		lost := context.Cause(held)
		stop()
		c.Context = before
		if before.Err() != nil {
			return nil
		}
		return lost
	}
}

// claim finds the dataset and decides, before anything is read, whether the
// run may begin. From then on the command's context ends when the run may not
// go on. The caller calls lose with the run's error when the run is over, for
// the reason why it ended, and for its source to be closed.
func (t *training) claim(c *cli.Context) (lose func(error) error, err error) {
	a, err := openAuthority(c)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	p, err := a.policy(c)
	if err != nil {
		return nil, err
	}
	if t.dataset, err = findDataset(p, c.String("data")); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	needs := access.Needs{Data: []access.Data{t.dataset.data}}
	if t.builtOn != nil {
		if needs.Base, err = catalog.Origins(c.Context, t.registry, t.builtOn); err != nil {
			return nil, fmt.Errorf("--base: %w", err)
		}
	}
	t.asking = a
	t.rights = a.NewPermission(access.Caller{Principal: a.who.Principal, Purpose: a.who.Purpose}, needs)
	if err := t.rights.Authorize(c.Context); err != nil {
		return nil, err
	}
	t.dataset.whole = t.dataset.restricted(p)
	release := hold(c, t.rights)
	held := c.Context
	t.dataset.admit = func(user, opened string) error {
		var err error
		if t.dataset.data, err = p.Opened(t.dataset.data, user, opened); err != nil {
			return err
		}
		// What was opened may be restricted where what its name led to was not.
		t.dataset.whole = t.dataset.whole || t.dataset.restricted(p)
		return t.rights.Opened(held, user, opened)
	}
	return func(err error) error {
		lost := release()
		if errors.Is(err, datasets.ErrDenied) && !errors.Is(err, access.ErrDenied) && c.Context.Err() == nil {
			err = t.rights.Denied(c.Context, err)
		}
		if err != nil && lost != nil {
			err = fmt.Errorf("%w; nothing was registered", lost)
		}
		if t.source != nil { // which the looks asked
			err = errors.Join(err, datasets.Close(t.source))
		}
		return errors.Join(err, a.Close())
	}, nil
}

// admit is what a run asks with the snapshot of its data. What is derived from
// it is kept in a folder of the given name, by itself for each set of
// restrictions: what one run made of restricted data is found by no other that
// the policy keeps from it. What a plugin makes that is not deterministic is not
// kept at all.
func (t *training) admit(folder string, p preprocessing.Preprocessing) train.Admit {
	return func(ctx context.Context, s *datasets.Snapshot, r *datasets.Report) (string, error) {
		var err error
		if t.names, err = t.rights.Found(ctx, s.Digest, len(s.Entries)); err != nil {
			return "", err
		}
		if t.reads, err = t.mayName(s); err != nil {
			return "", err
		}
		if len(t.names) > 0 {
			if err := whole(r); err != nil {
				return "", err
			}
			t.rights.Watch(t.someOf(s))
		}
		domain, err := t.rights.Domain(ctx)
		t.derived = filepath.Join(t.Path("home"), folder)
		if domain != "" {
			t.derived = filepath.Join(t.Path("home"), "restricted", domain, folder)
		}
		if err != nil {
			return "", err
		}
		kept, err := t.plugins.Deterministic(p)
		if err != nil || !kept {
			return "", err
		}
		return t.derived, nil
	}
}

// mayName decides whether who trains may read the names of images in the report:
// to train on data is not to see it.
func (t *training) mayName(s *datasets.Snapshot) (bool, error) {
	p, err := t.asking.policy(t.Context)
	if err != nil {
		return false, err
	}
	data := t.dataset.data
	data.Digest = s.Digest
	err = mayRead(t.Context, t.asking, p, data, datasets.User(t.source))
	if errors.Is(err, access.ErrDenied) {
		return false, nil
	}
	return err == nil, err
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
func (t *training) someOf(s *datasets.Snapshot) func(context.Context) error {
	next := 0
	return func(ctx context.Context) error {
		from := next
		if next += perLook; next >= len(s.Entries) {
			next = 0
		}
		return datasets.MayRead(ctx, t.source, keysOf(s.Entries[from:min(from+perLook, len(s.Entries))]))
	}
}

// stillReadable asks the store for every file of a snapshot of restricted data.
func (t *training) stillReadable(s *datasets.Snapshot) error {
	if len(t.names) == 0 {
		return nil
	}
	return datasets.MayRead(t.Context.Context, t.source, keysOf(s.Entries))
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
