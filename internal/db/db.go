// Package db opens the project's SQLite databases and applies migrations. Its
// only own table is the list of migrations: every package owns its tables and
// passes their migrations.
//
// A database is in WAL mode, so that readers and the single writer do not block
// each other, within a process and between processes. It must be on a local
// disk: WAL needs memory shared between the processes.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite" // and the "sqlite" driver
	sqlite3 "modernc.org/sqlite/lib"
)

// busyTimeout is how long, in milliseconds, a statement waits for another
// process's lock before it fails. The end of the context ends the wait earlier.
const busyTimeout = "30000"

// readers bounds the concurrent read connections of one process.
const readers = 8

// A DB is an open database. Its methods may be called concurrently.
type DB struct {
	path        string
	read, write *sql.DB
}

// Open opens the database at path, creating it and its folder if missing, and
// applies pending migrations. Files are private to their owner. Open refuses a
// database that a newer tkit has migrated, with an error that wraps ErrNewer.
//
// Two DBs in one process may share a file, but nothing else in the process may
// open and close it: that would release SQLite's locks on it.
func Open(ctx context.Context, path string, schemas ...Schema) (*DB, error) {
	return open(ctx, path, "FULL", schemas)
}

// OpenBuffered is Open for a database whose last changes can be made again: they
// survive the end of every process, but some may be lost when the machine fails, the
// last ones first. The database stays consistent. Commits then need not wait for the
// disk.
func OpenBuffered(ctx context.Context, path string, schemas ...Schema) (*DB, error) {
	return open(ctx, path, "NORMAL", schemas)
}

func open(ctx context.Context, path, synchronous string, schemas []Schema) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	d := &DB{path: path}
	if d.write, err = sql.Open("sqlite", dsn(path, "immediate", "_pragma=journal_mode(WAL)&_pragma=synchronous("+synchronous+")")); err != nil {
		return nil, d.named(err)
	}
	d.write.SetMaxOpenConns(1)
	if d.read, err = sql.Open("sqlite", dsn(path, "deferred", "_query_only=1")); err != nil {
		return nil, errors.Join(d.named(err), d.write.Close())
	}
	d.read.SetMaxOpenConns(readers)
	d.read.SetMaxIdleConns(readers)
	if err := d.migrate(ctx, schemas); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// OpenAlone opens an existing database for reading if its disk has no space for
// the memory that SQLite shares between processes. No other process may have it
// open meanwhile. It writes nothing and applies no migration.
func OpenAlone(path string) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	d := &DB{path: path}
	if d.read, err = sql.Open("sqlite", dsn(path, "deferred", "_pragma=locking_mode(EXCLUSIVE)&_query_only=1")); err != nil {
		return nil, d.named(err)
	}
	d.read.SetMaxOpenConns(1)
	d.write = d.read
	return d, nil
}

// create makes an empty private file if there is none. SQLite gives the same
// mode to the log and the shared memory.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// dsn returns the settings of connections: double quotes never mean strings, and SQL
// cannot damage the file itself.
func dsn(path, begin, more string) string {
	u := url.URL{Scheme: "file", OmitHost: true, Path: path}
	return u.String() + "?mode=rw&_defensive=1&_dqs=0&_txlock=" + begin + "&_busy_timeout=" + busyTimeout +
		"&_pragma=foreign_keys(1)&_pragma=trusted_schema(0)&" + more
}

// Close waits for the transactions in progress and closes the database.
func (d *DB) Close() error {
	return errors.Join(d.read.Close(), d.write.Close())
}

// Reader returns a pool for single reading statements, prepared or not. Each
// sees the state of the last commit. Writing through it fails.
func (d *DB) Reader() *sql.DB { return d.read }

// Read runs f in a read-only transaction: all its statements see the same
// state.
func (d *DB) Read(ctx context.Context, f func(*sql.Tx) error) error {
	return d.transaction(ctx, d.read, f)
}

// Write runs f in a write transaction, after waiting for other writers in this
// and other processes. If Write returns nil, the changes are committed and, unless
// the database is buffered, durable; otherwise nothing has changed.
func (d *DB) Write(ctx context.Context, f func(*sql.Tx) error) error {
	return d.transaction(ctx, d.write, f)
}

func (d *DB) transaction(ctx context.Context, pool *sql.DB, f func(*sql.Tx) error) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return d.named(err)
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return d.told(err)
	}
	if err := tx.Commit(); err != nil {
		return d.named(err)
	}
	return nil
}

// named adds the database's path to an error.
func (d *DB) named(err error) error {
	return d.told(fmt.Errorf("database %s: %w", d.path, err))
}

var (
	// ErrUnreachable is wrapped by errors about a server of databases that does not
	// answer, or not now.
	ErrUnreachable = errors.New("the database cannot be reached")
	// ErrUnknown is wrapped by the error of a transaction whose server was lost while it
	// committed.
	ErrUnknown = errors.New("it is not known whether the change was made: look before you repeat it")
)

// ErrFull is wrapped by errors about a database whose disk is full.
var ErrFull = errors.New("its disk is full: free some space on it")

// told adds the remedy to an error, once.
func (d *DB) told(err error) error {
	failed, ok := errors.AsType[*sqlite.Error](err)
	if !ok || errors.Is(err, ErrFull) {
		return err
	}
	if full(d.path, failed.Code()) {
		return fmt.Errorf("%w: %w", err, ErrFull)
	}
	if r := remedy(failed); !strings.HasSuffix(err.Error(), r) {
		return fmt.Errorf("%w%s", err, r)
	}
	return err
}

// scarce is the free space, in bytes, below which a failed write is attributed
// to a full disk. SQLite needs 32 KiB to open a database.
const scarce = 64 << 10

// full reports whether an error is caused by a full disk. Many of SQLite's I/O
// errors do not say so.
func full(path string, code int) bool {
	switch {
	case code&0xff == sqlite3.SQLITE_FULL || code == sqlite3.SQLITE_IOERR_SHMSIZE:
		return true
	case code&0xff != sqlite3.SQLITE_IOERR && code&0xff != sqlite3.SQLITE_CANTOPEN:
		return false
	}
	var disk unix.Statfs_t
	return unix.Statfs(filepath.Dir(path), &disk) == nil && disk.Bavail*uint64(disk.Bsize) < scarce
}

// remedy returns what to do about SQLite's failures that tkit does not cause.
func remedy(failed *sqlite.Error) string {
	switch failed.Code() & 0xff { // the upper bits give details
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return ": you need permission to write to its folder, on a disk that is not read-only"
	case sqlite3.SQLITE_BUSY:
		return ": another program has locked it for too long; try again when that program has ended"
	case sqlite3.SQLITE_IOERR:
		return ": its disk cannot be read or written; see the system's log"
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return ": it is damaged: restore it from a backup"
	}
	return ""
}

// Check runs SQLite's integrity checks and returns the problems: damaged pages,
// rows that violate a constraint, references to missing rows.
func (d *DB) Check(ctx context.Context) ([]string, error) {
	var problems []string
	err := d.Read(ctx, func(tx *sql.Tx) error {
		for _, q := range []string{
			"SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
			`SELECT "table" || ' row ' || coalesce(rowid, '?') || ' refers to a missing row of ' || parent FROM pragma_foreign_key_check`,
		} {
			found, err := Texts(ctx, tx, q)
			if err != nil {
				return err
			}
			problems = append(problems, found...)
		}
		return nil
	})
	if err != nil {
		return problems, d.named(err)
	}
	return problems, nil
}

// Texts returns the single column of a query's rows.
func Texts(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]string, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}
