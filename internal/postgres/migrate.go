package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"tkit/internal/db"
)

// initialising is the key of the lock that two processes need which initialise a
// database at the same time: "tkit" in ASCII.
const initialising = 0x746b6974

// IdentityPrefix begins the identities of databases, which differ so from those of homes
// with databases of their own.
const IdentityPrefix = "postgres-"

// Initialise prepares a database that tkit has not used, by making the schema tkit in
// it. Other schemas may have tables of other programs. A database that is already
// initialised stays as it is. A schema tkit of another program is refused.
func Initialise(ctx context.Context, address string) error {
	d, err := connect(address)
	if err != nil {
		return err
	}
	// A statement after the lock sees what was committed before it.
	err = d.transaction(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted}, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", initialising); err != nil {
			return err
		}
		return d.initialise(ctx, tx)
	})
	return errors.Join(err, d.Close())
}

func (d *DB) initialise(ctx context.Context, tx *sql.Tx) error {
	tables, err := db.Texts(ctx, tx, `SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1`, schema)
	if err != nil {
		return err
	}
	if slices.Contains(tables, "migrations") && slices.Contains(tables, "home") {
		return nil
	}
	if len(tables) > 0 {
		return fmt.Errorf("database %s: its schema %s belongs to another program: it has %.60q; choose another database", d, schema, tables[0])
	}
	var exists bool
	if err := tx.QueryRowContext(ctx, "SELECT to_regnamespace($1) IS NOT NULL", schema).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		if _, err := tx.ExecContext(ctx, "CREATE SCHEMA "+schema); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `
		CREATE TABLE migrations (
			room    TEXT   NOT NULL,
			version BIGINT NOT NULL,
			name    TEXT   NOT NULL,
			digest  TEXT   NOT NULL, -- SHA-256 of the script
			applied TIMESTAMPTZ NOT NULL DEFAULT now(),
			PRIMARY KEY (room, version)
		)`)
	if err == nil { // which homes the database belongs to; writers lock the table
		_, err = tx.ExecContext(ctx, "CREATE TABLE home (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL)")
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, "INSERT INTO home VALUES (1, '"+IdentityPrefix+"' || replace(gen_random_uuid()::text, '-', ''))")
	}
	return err
}

// migrate applies pending migrations, each in its own transaction. If there are none,
// it takes no lock.
func (d *DB) migrate(ctx context.Context, schemas []db.Schema) error {
	var todo []db.Migration
	look := func(tx *sql.Tx) (err error) {
		todo, err = d.lacking(ctx, tx, schemas)
		return err
	}
	if err := d.Read(ctx, look); err != nil {
		return d.lacks(err)
	}
	for len(todo) > 0 {
		// Another process may have been faster: check again, as the only writer.
		err := d.Write(ctx, func(tx *sql.Tx) error {
			if err := look(tx); err != nil || len(todo) == 0 {
				return err
			}
			return apply(ctx, tx, todo[0])
		})
		if err != nil {
			return err
		}
		if len(todo) > 0 {
			todo = todo[1:]
		}
	}
	return nil
}

// lacks says what a database lacks that was not initialised.
func (d *DB) lacks(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Code == noSuchTable || e.Code == noSuchSchema) {
		return fmt.Errorf("database %s: %w", d, ErrNone)
	}
	return err
}

// lacking returns the pending migrations. It refuses a database that is newer or has a
// different history: also tables of packages that this program does not know may have
// permissions or references to blobs.
func (d *DB) lacking(ctx context.Context, tx *sql.Tx, schemas []db.Schema) ([]db.Migration, error) {
	rooms, err := db.Texts(ctx, tx, "SELECT DISTINCT room FROM migrations ORDER BY room")
	if err != nil {
		return nil, err
	}
	for _, room := range rooms {
		if !slices.Contains(Rooms, room) {
			return nil, fmt.Errorf("database %s: %w: it has %.40q tables, which this tkit does not know: use the newer tkit", d, db.ErrNewer, room)
		}
	}
	var todo []db.Migration
	for _, s := range schemas {
		digests, err := db.Texts(ctx, tx, "SELECT digest FROM migrations WHERE room = $1 ORDER BY version", s.Name)
		if err != nil {
			return nil, err
		}
		more, err := s.Pending(digests)
		if err != nil {
			return nil, fmt.Errorf("database %s: %w", d, err)
		}
		todo = append(todo, more...)
	}
	return todo, nil
}

// Rooms are the names of the schemas that this program knows.
var Rooms = []string{"access", "registry"}

// apply runs one migration and records it.
func apply(ctx context.Context, tx *sql.Tx, m db.Migration) error {
	if _, err := tx.ExecContext(ctx, m.Script); err != nil {
		return fmt.Errorf("migration %s of schema %s: %w", m.Name, m.Schema, err)
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO migrations VALUES ($1, $2, $3, $4)", m.Schema, m.Version, m.Name, m.Digest())
	return err
}
