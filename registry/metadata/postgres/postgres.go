// Package postgres stores the metadata of a registry in a database of PostgreSQL, which
// several servers share.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"iter"
	"time"

	"tkit/internal/db"
	"tkit/internal/home"
	"tkit/internal/postgres"
	"tkit/registry/metadata"
	"tkit/registry/metadata/rows"
)

//go:embed migrations/*.sql
var migrations embed.FS

// channel is told when a transaction that added events commits.
const channel = "tkit_registry"

// A Store is a metadata.Store in a database of PostgreSQL.
type Store struct{ db *postgres.DB }

var _ metadata.Store = (*Store)(nil)

var dialect = rows.Dialect{LastEvent: "SELECT id FROM last_event"}

// Open opens the store in a database that was initialised, for the home in a folder, and
// creates missing tables. Address is a connection string; see [home.OpenShared].
func Open(ctx context.Context, folder, address string) (*Store, error) {
	scripts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	d, _, err := home.OpenShared(ctx, folder, address, db.Schema{Name: "registry", Migrations: scripts})
	if err != nil {
		return nil, err
	}
	return &Store{d}, nil
}

// Close implements metadata.Store.
func (s *Store) Close() error { return s.db.Close() }

// Find implements metadata.Store. It asks the server once.
func (s *Store) Find(ctx context.Context, model string, number int, alias string) (metadata.Version, bool, error) {
	query, which := rows.ByNumber, any(number)
	if number == 0 {
		query, which = rows.ByAlias, alias
	}
	return s.find(ctx, query, model, model, which)
}

// FindBound implements metadata.Store. It asks the server once.
func (s *Store) FindBound(ctx context.Context, application, model string) (metadata.Version, bool, error) {
	return s.find(ctx, rows.ByBinding, model, application, model)
}

// find reads the version of a model that a query finds.
func (s *Store) find(ctx context.Context, query, model string, args ...any) (metadata.Version, bool, error) {
	v := metadata.Version{Model: model}
	err := s.db.Row(ctx, query, args, &v.Number, &v.Digest, &v.Deleted)
	if errors.Is(err, sql.ErrNoRows) {
		return v, false, nil
	}
	return v, err == nil, err
}

// View implements metadata.Store.
func (s *Store) View(ctx context.Context, f func(metadata.Reader) error) error {
	return s.db.Read(ctx, func(tx *sql.Tx) error { return f(rows.In(ctx, tx, dialect)) })
}

// Update implements metadata.Store.
func (s *Store) Update(ctx context.Context, f func(metadata.Writer) error) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error { return f(rows.In(ctx, tx, dialect)) })
}

// Changes implements metadata.Store. The server notifies it; the interval is only
// between attempts to connect again.
func (s *Store) Changes(ctx context.Context, every time.Duration) iter.Seq[error] {
	return s.db.Changes(ctx, channel, every)
}

// Check implements metadata.Store.
func (s *Store) Check(ctx context.Context) ([]string, error) { return s.db.Check(ctx) }
