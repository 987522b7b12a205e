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
	"sync"

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
	db       *db.DB
	find     *sql.Stmt
	requests chan request
	running  context.Context // ends when the ledger is closed
	stop     context.CancelFunc
	writing  sync.WaitGroup
}

type request struct {
	entry Entry
	done  chan error
}

// most is the number of entries that are written in one transaction.
const most = 1000

// Open opens the ledger in a database file and creates it if there is none.
func Open(ctx context.Context, path string) (*Ledger, error) {
	scripts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	d, err := db.Open(ctx, path, db.Schema{Name: "ingest", Migrations: scripts})
	if err != nil {
		return nil, err
	}
	find, err := d.Reader().PrepareContext(ctx, "SELECT 1 FROM delivered WHERE path = ? AND size = ? AND modified = ? AND inode = ?")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: %w", err), d.Close())
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &Ledger{db: d, find: find, requests: make(chan request), running: running, stop: stop}
	l.writing.Go(func() { l.write() })
	return l, nil
}

// Close waits for the transaction in progress. Later calls of Record fail.
func (l *Ledger) Close() error {
	l.stop()
	l.writing.Wait()
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

// Record remembers that a file was delivered, and returns when that is on disk.
// Calls at the same time share a transaction.
func (l *Ledger) Record(ctx context.Context, e Entry) error {
	r := request{e, make(chan error, 1)}
	select {
	case l.requests <- r:
		return <-r.done
	case <-l.running.Done():
		return errors.New("ledger: it is closed")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write writes entries until the ledger is closed.
func (l *Ledger) write() {
	for {
		select {
		case first := <-l.requests:
			batch := l.waiting(first)
			err := l.commit(batch)
			for _, r := range batch {
				r.done <- err
			}
		case <-l.running.Done():
			return
		}
	}
}

// waiting returns a request and those that wait.
func (l *Ledger) waiting(first request) []request {
	batch := []request{first}
	for len(batch) < most {
		select {
		case r := <-l.requests:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

func (l *Ledger) commit(batch []request) error {
	ctx := context.Background() // a transaction that has begun ends soon
	return l.db.Write(ctx, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO delivered (path, size, modified, inode) VALUES (?, ?, ?, ?)")
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
		defer insert.Close()
		for _, r := range batch {
			if _, err := insert.ExecContext(ctx, r.entry.Path, r.entry.Size, r.entry.Modified, int64(r.entry.Inode)); err != nil {
				return fmt.Errorf("ledger: %w", err)
			}
		}
		return nil
	})
}
