// Package registry keeps every version of every model, for ever and unchanged,
// and says which of them each alias names.
//
// A version is a manifest and the blobs it names: the trunk, shared by every
// version that stands on the same one, and the head. Versions never change;
// aliases move between them, and a history says who moved them and why.
// Nothing half-done is visible: a version appears in one transaction, after
// its blobs are on the disk.
//
// Several processes may use one registry at once: training registers while a
// server follows the aliases with Watch.
package registry

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"tkit/internal/db"
	"tkit/internal/home"
	"tkit/registry/blobs"
)

// Digest names content by its SHA-256: "sha256:" and 64 hexadecimal digits.
type Digest = blobs.Digest

// The reasons why a request fails, for errors.Is.
var (
	// ErrNotFound: no such model, version or alias.
	ErrNotFound = errors.New("not found")
	// ErrInvalid: a name, reference or manifest that cannot be.
	ErrInvalid = errors.New("invalid")
	// ErrCorrupt: what is stored is not what was registered.
	ErrCorrupt = errors.New("the stored manifest is not what was registered")
)

//go:embed migrations/*.sql
var migrations embed.FS

// A Registry is an open registry. Its methods may be called at once.
type Registry struct {
	home  string
	db    *db.DB
	blobs blobs.Store
	cache manifests

	byVersion, byAlias *sql.Stmt
}

// Open opens the registry of the home in a folder, its tables in the home's
// database and its blobs in blobs/, and makes what is missing. It refuses a
// database that is not the one that the home was used with; see [home.Open].
func Open(ctx context.Context, folder string) (*Registry, error) {
	scripts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	d, err := home.Open(ctx, folder, db.Schema{Name: "registry", Migrations: scripts})
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return over(ctx, folder, d)
}

// OpenToCollect opens a registry that is there for Collect, also on a disk that is
// full, where nothing else can open it.
func OpenToCollect(ctx context.Context, folder string) (*Registry, error) {
	r, err := Open(ctx, folder)
	if !errors.Is(err, db.ErrFull) {
		return r, err
	}
	d, alone := home.OpenAlone(ctx, folder)
	if alone != nil {
		return nil, fmt.Errorf("registry: %w", errors.Join(err, alone))
	}
	return over(ctx, folder, d)
}

// over is the registry of a home over its database, which it closes.
func over(ctx context.Context, folder string, d *db.DB) (*Registry, error) {
	store, err := blobs.NewLocal(filepath.Join(folder, "blobs"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("registry: %w", err), d.Close())
	}
	r := &Registry{home: folder, db: d, blobs: store}
	if err := r.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("registry: %w", err), r.Close())
	}
	return r, nil
}

// prepare compiles the statements that Resolve runs on every request.
func (r *Registry) prepare(ctx context.Context) (err error) {
	r.byVersion, err = r.db.Reader().PrepareContext(ctx,
		"SELECT version, digest FROM versions WHERE model = ? AND version = ?")
	if err != nil {
		return err
	}
	r.byAlias, err = r.db.Reader().PrepareContext(ctx,
		`SELECT v.version, v.digest FROM aliases AS a JOIN versions AS v USING (model, version)
		WHERE a.model = ? AND a.name = ?`)
	return err
}

// Close closes the registry once the calls in progress have returned.
func (r *Registry) Close() error {
	var err error
	for _, s := range []*sql.Stmt{r.byVersion, r.byAlias} {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	return errors.Join(err, r.db.Close())
}

// BlobPath returns the path of a local file that holds a part of a version.
// Its bytes have been checked against the digest. It must not be written to.
func (r *Registry) BlobPath(ctx context.Context, d Digest) (string, error) {
	path, err := r.blobs.Path(ctx, d)
	if err != nil {
		return "", fmt.Errorf("registry: %w", err)
	}
	return path, nil
}

// OpenBlob opens a part of a version for reading. Reading checks the bytes: where
// they are not what the digest says, the Read that would have returned io.EOF
// returns an error instead. The caller closes it.
func (r *Registry) OpenBlob(ctx context.Context, d Digest) (io.ReadCloser, error) {
	b, err := r.blobs.Open(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return b, nil
}

// querier is a transaction, or the reader.
type querier interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// rowsOf collects the rows of a query; never nil.
func rowsOf[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []T{}
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
