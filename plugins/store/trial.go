package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	"tkit/plugins/host"
	"tkit/plugins/internal/claim"
)

// Trial is a plugin that can be run without being installed.
type Trial struct {
	store     Store
	installed Installed
	folder    string
	claim     *os.File // keeps others from removing the folder
}

// Try prepares what Install would: a copy of the executable, built if it is a
// project of a plugin in Python, and its packages, which are kept for the next
// time. The caller closes the Trial after closing all plugins opened from it.
func (s Store) Try(ctx context.Context, path string, o Options) (_ *Trial, err error) {
	if err := os.MkdirAll(s.folder, 0o755); err != nil {
		return nil, err
	}
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := s.tidy(); err != nil {
		return nil, err
	}
	t := &Trial{store: s}
	if t.folder, err = os.MkdirTemp(s.folder, trying); err != nil {
		return nil, err
	}
	if t.claim, err = claim.Take(t.folder); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	if t.installed, err = bring(ctx, t.folder, path, o); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	if t.installed.Python, err = s.python(ctx, t.installed.Path, o); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), t.Close())
	}
	return t, nil
}

// Digest returns the digest of the executable.
func (t *Trial) Digest() string { return t.installed.Digest }

// Open starts the plugin.
func (t *Trial) Open(ctx context.Context, c host.Config) (*host.Plugin, error) {
	return t.store.Open(ctx, t.installed, c)
}

// Close removes the copy.
func (t *Trial) Close() error {
	err := os.RemoveAll(t.folder)
	if t.claim != nil {
		err = errors.Join(err, t.claim.Close())
	}
	return err
}

// trying is the prefix of the folders of trials.
const trying = ".trying-"
