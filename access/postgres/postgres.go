// Package postgres keeps the policy of a home, and its audit log, in a database of
// PostgreSQL, which several servers share.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"iter"

	"tkit/access"
	"tkit/access/audit"
	"tkit/access/rows"
	"tkit/internal/db"
	"tkit/internal/home"
	"tkit/internal/postgres"
)

//go:embed migrations/*.sql
var migrations embed.FS

// store is an access.Store in a database of PostgreSQL.
type store struct {
	db *postgres.DB
	id string // of the database
}

// In returns the function that opens the store in a database that was initialised, for
// homes that it belongs to; see [home.OpenShared]. Address is a connection string.
func In(address string) access.OpenStore {
	return func(ctx context.Context, folder string) (access.Store, error) {
		scripts, err := fs.Sub(migrations, "migrations")
		if err != nil {
			return nil, err
		}
		d, id, err := home.OpenShared(ctx, folder, address, db.Schema{Name: "access", Migrations: scripts})
		if err != nil {
			return nil, err
		}
		return &store{d, id}, nil
	}
}

// Close implements access.Store.
func (s *store) Close() error { return s.db.Close() }

// Generation implements access.Store. The address may lead to another database than
// before, whose generations are not comparable.
func (s *store) Generation(ctx context.Context) (n int64, err error) {
	var id string
	err = s.db.Row(ctx, "SELECT n, id FROM access_generation, home", nil, &n, &id)
	if err == nil && id != s.id {
		err = fmt.Errorf("%w: another one is in place of database %s: restore it and start again", home.ErrForeign, s.db)
	}
	return n, err
}

// Rules implements access.Store.
func (s *store) Rules(ctx context.Context) (r access.Rules, err error) {
	err = s.db.Read(ctx, func(tx *sql.Tx) (err error) {
		r, err = rows.In(ctx, tx).Rules()
		return err
	})
	return r, err
}

// Update implements access.Store.
func (s *store) Update(ctx context.Context, f func(access.Writer) error) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error { return f(rows.In(ctx, tx)) })
}

// OpenLog implements access.Store. The records are rows of the database.
func (s *store) OpenLog() (audit.Log, error) { return audit.InJournal(s), nil }

// AppendLine implements audit.Journal.
func (s *store) AppendLine(ctx context.Context, next func(audit.End) ([]byte, audit.Position, error)) error {
	return s.db.Append(ctx, func(tx *sql.Tx) error {
		end, err := endOf(ctx, tx, "FOR UPDATE OF a") // others who append wait
		if err != nil {
			return err
		}
		line, p, err := next(end)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO access_log VALUES ($1, $2)", p.Sequence, string(line)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE access_audit SET sequence = $1, hash = $2", p.Sequence, p.Hash)
		return err
	})
}

// endOf reads the end of the log, whose row it may lock.
func endOf(ctx context.Context, tx *sql.Tx, lock string) (end audit.End, err error) {
	var key string
	err = tx.QueryRowContext(ctx, "SELECT a.sequence, a.hash, a.key FROM access_audit AS a "+lock).Scan(&end.Sequence, &end.Hash, &key)
	if err != nil {
		return end, err
	}
	if end.Key, err = rows.AuditKey(key); err != nil {
		return end, err
	}
	// After the lock, so that it is the last one.
	found, err := tx.QueryContext(ctx, "SELECT line FROM access_log ORDER BY sequence DESC LIMIT 1")
	if err != nil {
		return end, err
	}
	defer found.Close()
	if found.Next() {
		err = found.Scan(&end.Line)
	}
	if err == nil {
		err = found.Err()
	}
	return end, err
}

// End implements audit.Journal.
func (s *store) End(ctx context.Context) (end audit.End, err error) {
	err = s.db.Read(ctx, func(tx *sql.Tx) (err error) {
		end, err = endOf(ctx, tx, "")
		return err
	})
	return end, err
}

// ReadLines implements audit.Journal.
func (s *store) ReadLines(ctx context.Context, f func(audit.End, iter.Seq2[[]byte, error]) error) error {
	return s.db.Read(ctx, func(tx *sql.Tx) error {
		end, err := endOf(ctx, tx, "")
		if err != nil {
			return err
		}
		return f(end, linesOf(ctx, tx))
	})
}

// linesOf yields the lines of the log in order.
func linesOf(ctx context.Context, tx *sql.Tx) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		found, err := tx.QueryContext(ctx, "SELECT line FROM access_log ORDER BY sequence")
		if err != nil {
			yield(nil, err)
			return
		}
		defer found.Close()
		for found.Next() {
			var line []byte
			if err := found.Scan(&line); !yield(line, err) || err != nil {
				return
			}
		}
		if err := found.Err(); err != nil {
			yield(nil, err)
		}
	}
}
