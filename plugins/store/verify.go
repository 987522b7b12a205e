package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tkit/plugins/host"
)

// Problem is what is wrong with an installed plugin.
type Problem struct {
	Plugin string `json:"plugin"`
	Detail string `json:"detail"`
}

// Verify reads everything that is installed and checks it against its digests.
func (s Store) Verify(ctx context.Context) ([]Problem, error) {
	all, err := s.List()
	var found []Problem
	if err != nil {
		found = append(found, Problem{s.folder, err.Error()})
	}
	for _, i := range all {
		err := s.check(ctx, i)
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
		if err != nil {
			found = append(found, Problem{i.Description.String(), err.Error()})
		}
	}
	return found, nil
}

// check says whether a plugin is what was installed.
func (s Store) check(ctx context.Context, i Installed) error {
	digest, err := host.Digest(i.Path)
	if err != nil {
		return err
	}
	if digest != i.Digest {
		return fmt.Errorf("%w: it is %s, and was installed as %s", host.ErrReplaced, digest, i.Digest)
	}
	if i.Python == nil {
		return nil
	}
	return s.checkPackages(ctx, *i.Python)
}

// Remove removes a plugin, and the packages that no other plugin runs with.
// Processes that run of it go on, but are not started again.
func (s Store) Remove(i Installed) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.remove(i.Digest); err != nil {
		return err
	}
	return s.removeUnusedPackages()
}

// remove takes a folder away in one step before it is taken apart.
func (s Store) remove(digest string) error {
	away, err := os.MkdirTemp(s.folder, ".removing-")
	if err != nil {
		return err
	}
	err = os.Rename(s.at(digest), filepath.Join(away, executable))
	return errors.Join(err, os.RemoveAll(away))
}
