// Package sqlite keeps the policy of a home, and the end of its audit log, in the home's
// own database.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tkit/access"
	"tkit/access/audit"
	"tkit/access/rows"
	"tkit/internal/db"
	"tkit/internal/home"
)

//go:embed migrations/*.sql
var migrations embed.FS

// store is an access.Store in a home's database.
type store struct {
	db         *db.DB
	home       string // its identity
	path       string
	opened     fs.FileInfo // what was at path
	generation *sql.Stmt
}

// Open opens the store of the home in a folder and makes what is missing. It refuses a
// database that is not the one that the home was used with; see [home.Open]. It is an
// [access.OpenStore].
func Open(ctx context.Context, folder string) (access.Store, error) {
	scripts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	d, err := home.Open(ctx, folder, db.Schema{Name: "access", Migrations: scripts})
	if err != nil {
		return nil, err
	}
	s := &store{db: d, path: filepath.Join(folder, home.Database)}
	if s.opened, err = os.Stat(s.path); err == nil {
		s.generation, err = d.Reader().PrepareContext(ctx, "SELECT n, id FROM access_generation, home")
	}
	if err == nil {
		_, s.home, err = s.look(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return s, nil
}

// Close implements access.Store.
func (s *store) Close() error {
	return errors.Join(s.generation.Close(), s.db.Close())
}

// Generation implements access.Store. A process goes on reading a database that was
// moved away, replaced by a backup or emptied, and would see no further changes.
func (s *store) Generation(ctx context.Context) (int64, error) {
	found, err := os.Stat(s.path)
	switch {
	case err != nil:
		return 0, err
	case !os.SameFile(found, s.opened):
		return 0, fmt.Errorf("another file is in place of %s: start again", s.path)
	case found.Size() == 0:
		return 0, fmt.Errorf("%w: %s was emptied: restore it and start again", home.ErrLost, s.path)
	}
	generation, id, err := s.look(ctx)
	if err == nil && id != s.home { // its generations are not comparable
		err = fmt.Errorf("%w: %s was overwritten: restore it and start again", home.ErrForeign, s.path)
	}
	return generation, err
}

// look reads the generation, and the identity of the home.
func (s *store) look(ctx context.Context) (generation int64, id string, err error) {
	err = s.generation.QueryRowContext(ctx).Scan(&generation, &id)
	return generation, id, err
}

// Rules implements access.Store.
func (s *store) Rules(ctx context.Context) (r access.Rules, err error) {
	err = s.db.Read(ctx, func(tx *sql.Tx) (err error) {
		r, err = rows.In(ctx, tx).Rules()
		return err
	})
	return r, err
}

// Update implements access.Store. It calls f once.
func (s *store) Update(ctx context.Context, f func(access.Writer) error) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error { return f(rows.In(ctx, tx)) })
}

// OpenLog implements access.Store. The records are files of the home.
func (s *store) OpenLog() (audit.Log, error) {
	return audit.Open(filepath.Join(filepath.Dir(s.path), "audit"), s)
}

// Head implements audit.Head.
func (s *store) Head(ctx context.Context) (a audit.Anchor, err error) {
	var key string
	err = s.db.Reader().QueryRowContext(ctx, "SELECT sequence, hash, key, unsealed FROM access_audit").Scan(&a.Sequence, &a.Hash, &key, &a.Unsealed)
	if err != nil {
		return a, err
	}
	a.Key, err = rows.AuditKey(key)
	return a, err
}

// SetHead implements audit.Head.
func (s *store) SetHead(ctx context.Context, p audit.Position) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE access_audit SET sequence = ?, hash = ?", p.Sequence, p.Hash)
		return err
	})
}
