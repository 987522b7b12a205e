// Package sqlite stores the metadata of a registry in the database of a home.
package sqlite

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
	"tkit/registry/metadata"
	"tkit/registry/metadata/rows"
)

//go:embed migrations/*.sql
var migrations embed.FS

// A Store is a metadata.Store in a home's database.
type Store struct {
	db                           *db.DB
	byNumber, byAlias, byBinding *sql.Stmt
}

var _ metadata.Store = (*Store)(nil)

var dialect = rows.Dialect{LastEvent: "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'"}

// Open opens the store of the home in a folder and creates missing tables. It refuses
// a database that does not belong to the home; see [home.Open].
func Open(ctx context.Context, folder string) (*Store, error) {
	scripts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	d, err := home.Open(ctx, folder, db.Schema{Name: "registry", Migrations: scripts})
	if err != nil {
		return nil, err
	}
	return prepare(ctx, d)
}

// OpenAlone opens the store for reading on a full disk, on which Open fails; see
// [home.OpenAlone].
func OpenAlone(ctx context.Context, folder string) (*Store, error) {
	d, err := home.OpenAlone(ctx, folder)
	if err != nil {
		return nil, err
	}
	return prepare(ctx, d)
}

// prepare compiles the statements of Find.
func prepare(ctx context.Context, d *db.DB) (*Store, error) {
	s := &Store{db: d}
	var err error
	s.byNumber, err = d.Reader().PrepareContext(ctx, rows.ByNumber)
	if err == nil {
		s.byAlias, err = d.Reader().PrepareContext(ctx, rows.ByAlias)
	}
	if err == nil {
		s.byBinding, err = d.Reader().PrepareContext(ctx, rows.ByBinding)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close implements metadata.Store.
func (s *Store) Close() error {
	var err error
	for _, statement := range []*sql.Stmt{s.byNumber, s.byAlias, s.byBinding} {
		if statement != nil {
			err = errors.Join(err, statement.Close())
		}
	}
	return errors.Join(err, s.db.Close())
}

// Find implements metadata.Store.
func (s *Store) Find(ctx context.Context, model string, number int, alias string) (metadata.Version, bool, error) {
	statement, which := s.byNumber, any(number)
	if number == 0 {
		statement, which = s.byAlias, alias
	}
	return find(ctx, statement, model, model, which)
}

// FindBound implements metadata.Store.
func (s *Store) FindBound(ctx context.Context, application, model string) (metadata.Version, bool, error) {
	return find(ctx, s.byBinding, model, application, model)
}

// find reads the version of a model that a statement finds.
func find(ctx context.Context, statement *sql.Stmt, model string, args ...any) (metadata.Version, bool, error) {
	v := metadata.Version{Model: model}
	err := statement.QueryRowContext(ctx, args...).Scan(&v.Number, &v.Digest, &v.Deleted)
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

// Changes implements metadata.Store. A poll takes some microseconds.
func (s *Store) Changes(ctx context.Context, every time.Duration) iter.Seq[error] {
	return s.db.Changes(ctx, every)
}

// Check implements metadata.Store.
func (s *Store) Check(ctx context.Context) ([]string, error) { return s.db.Check(ctx) }
