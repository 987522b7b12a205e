package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tkit/plugins/host"
)

// Problem is a problem of an installed plugin.
type Problem struct {
	Plugin string `json:"plugin"`
	Detail string `json:"detail"`
}

// Verify reads everything that is installed and verifies its digests.
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

// check verifies that a plugin is unchanged since its installation.
func (s Store) check(ctx context.Context, i Installed) error {
	digest, err := host.Digest(i.Path)
	if err != nil {
		return err
	}
	if digest != i.Digest {
		return fmt.Errorf("%w: its digest is %s, but %s was installed", host.ErrReplaced, digest, i.Digest)
	}
	if i.Python == nil {
		return nil
	}
	return s.checkPackages(ctx, *i.Python)
}

// Remove removes a plugin, and the packages that no other plugin uses. Its
// running processes continue, but are not started again.
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

// remove renames a folder away before deleting it.
func (s Store) remove(digest string) error {
	away, err := os.MkdirTemp(s.folder, ".removing-")
	if err != nil {
		return err
	}
	err = os.Rename(s.at(digest), filepath.Join(away, executable))
	return errors.Join(err, os.RemoveAll(away))
}
