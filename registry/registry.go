// Package registry stores immutable versions of models, and the aliases that name
// them.
//
// A version is a manifest and the blobs that it refers to: the head, and the trunk, which
// versions share. Aliases move between versions, and a history records who moved them and
// why. A version becomes visible in one transaction, after its blobs are durable.
//
// Several processes may use a registry at once: one registers versions while another
// follows the aliases with Watch.
//
// This package implements the rules. A [metadata.Store] stores the metadata and a
// [blobs.Store] the blobs.
package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"tkit/internal/db"
	"tkit/registry/blobs"
	"tkit/registry/metadata"
	"tkit/registry/metadata/postgres"
	"tkit/registry/metadata/sqlite"
)

// Digest names content by its SHA-256: "sha256:" and 64 hexadecimal digits.
type Digest = blobs.Digest

// The reasons of errors, for errors.Is.
var (
	// ErrNotFound is the error of a model, version or alias that does not exist.
	ErrNotFound = errors.New("not found")
	// ErrEmpty is why nothing was found.
	ErrEmpty = errors.New("the registry is empty")
	// ErrInvalid is the error of a name, reference or manifest that is not valid.
	ErrInvalid = errors.New("invalid")
	// ErrCorrupt is the error of a stored manifest that is not the registered one.
	ErrCorrupt = errors.New("the stored manifest is not the registered one")
)

// A Registry is an open registry. Its methods may be called concurrently.
type Registry struct {
	home     string
	metadata metadata.Store
	blobs    blobs.Store
	cache    manifests
}

// Open opens the registry of the home in a folder, its metadata in the home's database
// and its blobs in blobs/, and creates what is missing. It refuses a database that
// does not belong to the home; see package internal/home.
func Open(ctx context.Context, folder string) (*Registry, error) {
	m, err := sqlite.Open(ctx, folder)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return over(folder, m)
}

// OpenShared opens the registry of the home in a folder whose metadata is in a database of
// PostgreSQL, which several homes share. Address is its connection string; see package
// internal/home. The folder with the blobs must be the same for all of them.
func OpenShared(ctx context.Context, folder, address string) (*Registry, error) {
	m, err := postgres.Open(ctx, folder, address)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return over(folder, m)
}

// OpenToCollect opens a registry for Collect. It also works on a full disk, on which
// Open fails.
func OpenToCollect(ctx context.Context, folder string) (*Registry, error) {
	r, err := Open(ctx, folder)
	if !errors.Is(err, db.ErrFull) {
		return r, err
	}
	m, alone := sqlite.OpenAlone(ctx, folder)
	if alone != nil {
		return nil, fmt.Errorf("registry: %w", errors.Join(err, alone))
	}
	return over(folder, m)
}

// over returns the registry of a home with the given metadata, which it closes.
func over(folder string, m metadata.Store) (*Registry, error) {
	b, err := blobs.NewLocal(filepath.Join(folder, "blobs"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("registry: %w", err), m.Close())
	}
	return New(folder, m, b), nil
}

// New returns the registry of a home with its metadata and blobs in the given
// stores. Close closes the metadata.
func New(home string, m metadata.Store, b blobs.Store) *Registry {
	return &Registry{home: home, metadata: m, blobs: b}
}

// Close closes the registry once the calls in progress have returned.
func (r *Registry) Close() error { return r.metadata.Close() }

// ErrNotLocal is the error of a blob that is not a file on this machine.
var ErrNotLocal = errors.New("the blobs are not stored on this machine")

// BlobPath returns the path of a local file with a part of a version, to map it into
// memory; to read it, use OpenBlob. Its bytes have been checked against the digest.
// It must not be written to. The error is ErrNotLocal if the blobs are stored
// elsewhere.
func (r *Registry) BlobPath(ctx context.Context, d Digest) (string, error) {
	local, ok := r.blobs.(blobs.LocalStore)
	if !ok {
		return "", fmt.Errorf("registry: blob %s: %w", d, ErrNotLocal)
	}
	path, err := local.Path(ctx, d)
	if err != nil {
		return "", fmt.Errorf("registry: %w", err)
	}
	return path, nil
}

// OpenBlob opens a part of a version for reading. Reading checks the bytes: if
// they do not match the digest, the last Read returns an error instead of io.EOF.
// The caller closes it.
func (r *Registry) OpenBlob(ctx context.Context, d Digest) (io.ReadCloser, error) {
	b, err := r.blobs.Open(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return b, nil
}
