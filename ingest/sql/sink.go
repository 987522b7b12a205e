package sql

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tkit/ingest/commit"
	"tkit/ingest/failure"
)

// A Table is a table with one row for each image.
type Table struct {
	Database
	Name    string // TABLE or SCHEMA.TABLE
	Key     string // the column with the SHA-256 of the image, unique
	Columns []string
	Create  bool // if it is missing
}

// most is the number of rows that are written in one transaction, and commitTimeout
// bounds it.
const (
	most          = 256
	commitTimeout = time.Minute
)

// A Sink writes rows. Its methods may be called concurrently.
type Sink struct {
	table  Table
	db     *sql.DB
	upsert string
	rows   *commit.Group[[]any]
	ctx    context.Context // of transactions
	stop   context.CancelFunc
}

// Check returns what is wrong with the description of a table. It connects to nothing.
func (t Table) Check() error {
	if err := t.Database.Check(); err != nil {
		return err
	}
	if slices.Contains(t.Columns, t.Key) {
		return fmt.Errorf("the column %s is the key, which always has the SHA-256 of the image: leave it out of columns", t.Key)
	}
	_, err := t.statements()
	return err
}

// statements are the SQL of a table.
type statements struct {
	create string
	upsert string
	// check does what upsert does with no rows, so that the database finds what is
	// wrong with names, keys and rights.
	check string
}

func (t Table) statements() (s statements, err error) {
	table, err := quoteTable(t.Name)
	if err != nil {
		return s, err
	}
	key, err := quote(t.Key)
	if err != nil {
		return s, err
	}
	names, definitions, updates := []string{key}, []string{key + " text PRIMARY KEY"}, []string{}
	for _, column := range t.Columns {
		name, err := quote(column)
		if err != nil {
			return s, err
		}
		names = append(names, name)
		definitions = append(definitions, name+" "+t.typeOf(column))
		updates = append(updates, name+" = excluded."+name)
	}
	action := " ON CONFLICT (" + key + ") DO NOTHING"
	if len(updates) > 0 {
		action = " ON CONFLICT (" + key + ") DO UPDATE SET " + strings.Join(updates, ", ")
	}
	insert := "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") "
	nulls := strings.TrimSuffix(strings.Repeat("NULL, ", len(names)), ", ")
	return statements{
		create: "CREATE TABLE IF NOT EXISTS " + table + " (" + strings.Join(definitions, ", ") + ")",
		upsert: insert + "VALUES (" + t.parameters(len(names)) + ")" + action,
		check:  insert + "SELECT " + nulls + " WHERE 1 = 0" + action,
	}, nil
}

// types are the types of the columns that have another one than text in a table that is
// created: of PostgreSQL and of SQLite.
var types = map[string][2]string{
	"version":       {"integer", "integer"},
	"probability":   {"double precision", "real"},
	"results":       {"jsonb", "text"},
	"restricted_by": {"jsonb", "text"},
	"classified_at": {"timestamptz", "text"},
}

func (t Table) typeOf(column string) string {
	of, known := types[column]
	switch {
	case !known:
		return "text"
	case t.Driver == Postgres:
		return of[0]
	}
	return of[1]
}

// Open opens a table, creates it if that is wanted, and checks that rows can be written
// into it. An error that does not end by itself is reported by IsMisconfigured. The
// caller closes the sink.
func (t Table) Open(ctx context.Context) (*Sink, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	all, err := t.statements()
	if err != nil {
		return nil, err
	}
	db, err := t.Database.Open(true)
	if err != nil {
		return nil, err
	}
	if err := t.prepare(ctx, db, all); err != nil {
		return nil, errors.Join(fmt.Errorf("table %s: %w", t.Name, err), db.Close())
	}
	s := &Sink{table: t, db: db, upsert: all.upsert}
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.rows = commit.NewGroup(most, s.commit)
	return s, nil
}

// prepare creates the table and checks it. Processes that create a table at the same
// time disturb each other in PostgreSQL, and the second attempt finds the table.
func (t Table) prepare(ctx context.Context, db *sql.DB, all statements) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	if t.Create {
		_, err := db.ExecContext(ctx, all.create)
		if err != nil && KindOf(err) == failure.Lasting {
			_, err = db.ExecContext(ctx, all.create)
		}
		if err != nil {
			return err
		}
	}
	_, err := db.ExecContext(ctx, all.check)
	return err
}

// Write writes the row of an image, and returns when it is committed. The values are
// those of the table's columns. Writing a row again replaces its values. An error is a
// *failure.Error.
func (s *Sink) Write(ctx context.Context, sum [32]byte, values []any) error {
	row := []any{hex.EncodeToString(sum[:])}
	for i, value := range values {
		argument, err := s.table.Argument(value)
		if err != nil {
			return &failure.Error{Stage: Stage, Kind: failure.Lasting, Err: fmt.Errorf("the column %s: %w", s.table.Columns[i], err)}
		}
		row = append(row, argument)
	}
	err := s.rows.Do(ctx, row)
	if err == nil {
		return nil
	}
	return &failure.Error{Stage: Stage, Kind: KindOf(err), Err: fmt.Errorf("table %s: %w", s.table.Name, err)}
}

// commit writes rows in one transaction. If the database refuses one of them, each is
// written in a transaction of its own.
func (s *Sink) commit(rows [][]any) []error {
	err := s.transaction(rows)
	if err == nil || len(rows) == 1 || KindOf(err) == failure.Outage {
		return commit.All(len(rows), err)
	}
	errs := make([]error, len(rows))
	for i := range rows {
		errs[i] = s.transaction(rows[i : i+1])
	}
	return errs
}

func (s *Sink) transaction(rows [][]any) error {
	ctx, cancel := context.WithTimeout(s.ctx, commitTimeout)
	defer cancel()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, row := range rows {
		if _, err := tx.ExecContext(ctx, s.upsert, row...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Close waits for the transaction in progress, until ctx ends, and closes the
// connections.
func (s *Sink) Close(ctx context.Context) error {
	defer s.stop()
	defer context.AfterFunc(ctx, s.stop)()
	s.rows.Close()
	return s.db.Close()
}
