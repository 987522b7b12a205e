// Package ledger remembers which files of a folder were delivered, for pipelines
// that leave the files where they are.
package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"tkit/ingest/commit"
	"tkit/internal/db"
)

//go:embed migrations/*.sql
var migrations embed.FS

// An Entry is a file that was delivered. A file of the same path with another size,
// time or inode is another one.
type Entry struct {
	Path     string
	Size     int64
	Modified int64 // in nanoseconds since 1970
	Inode    uint64
}

// A Ledger is a database of entries. Its methods may be called concurrently. Close
// ends it.
type Ledger struct {
	db      *db.DB
	find    *sql.Stmt
	records *commit.Group[Entry]
}

// most is the number of entries that are written in one transaction.
const most = 1000

// Open opens the ledger in a database file and creates it if there is none.
func Open(ctx context.Context, path string) (*Ledger, error) {
	scripts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	d, err := db.OpenBuffered(ctx, path, db.Schema{Name: "ingest", Migrations: scripts})
	if err != nil {
		return nil, err
	}
	find, err := d.Reader().PrepareContext(ctx, "SELECT 1 FROM delivered WHERE path = ? AND size = ? AND modified = ? AND inode = ?")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: %w", err), d.Close())
	}
	l := &Ledger{db: d, find: find}
	l.records = commit.NewGroup(most, l.write)
	return l, nil
}

// Close waits for the transaction in progress. Later calls of Record fail.
func (l *Ledger) Close() error {
	l.records.Close()
	return errors.Join(l.find.Close(), l.db.Close())
}

// Delivered reports whether a file was delivered.
func (l *Ledger) Delivered(ctx context.Context, e Entry) (bool, error) {
	var one int
	err := l.find.QueryRowContext(ctx, e.Path, e.Size, e.Modified, int64(e.Inode)).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("ledger: %w", err)
	}
	return true, nil
}

// Record remembers that a file was delivered, also if the process is killed afterwards.
// When the machine fails, the last files may be forgotten; they are delivered again,
// which the sinks recognize. So the ledger need not wait for the disk. Calls at the same
// time share a transaction. If ctx ends first, the file may still be remembered.
func (l *Ledger) Record(ctx context.Context, e Entry) error {
	err := l.records.Do(ctx, e)
	if errors.Is(err, commit.ErrClosed) {
		err = fmt.Errorf("ledger: %w", err)
	}
	return err
}

func (l *Ledger) write(entries []Entry) []error {
	ctx := context.Background() // a transaction that has begun ends soon
	return commit.All(len(entries), l.db.Write(ctx, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO delivered (path, size, modified, inode) VALUES (?, ?, ?, ?)")
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
		defer insert.Close()
		for _, e := range entries {
			if _, err := insert.ExecContext(ctx, e.Path, e.Size, e.Modified, int64(e.Inode)); err != nil {
				return fmt.Errorf("ledger: %w", err)
			}
		}
		return nil
	}))
}
