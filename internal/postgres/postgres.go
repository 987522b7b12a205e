// Package postgres opens tkit's databases in PostgreSQL, which several servers share,
// and applies migrations. Its own tables are the list of migrations and the identity of
// the database; every package owns its other tables and passes their migrations.
//
// All tables are in a schema of their own, named tkit. [Initialise] makes it, and Open
// refuses a database without it: a database that was lost or mistaken for another must
// not look like a new one.
//
// Errors name the server and the database. They never have the connection string.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"tkit/internal/db"
)

// schema is the name of the schema with all tables.
const schema = "tkit"

const (
	// connectTimeout bounds the time to connect, unless the connection string has
	// another.
	connectTimeout = 10 * time.Second
	// connections bounds the connections of one DB.
	connections = 16
	// idleInTransaction is how long, in milliseconds, the server waits for a client in
	// a transaction before it ends it: a machine that lost its network must not keep
	// the lock of writers.
	idleInTransaction = "60000"
)

// A DB is an open database. Its methods may be called concurrently.
type DB struct {
	config *pgx.ConnConfig
	pool   *sql.DB
}

// Open opens a database that was initialised, and applies pending migrations. Address
// is a connection string: a URL or KEY=VALUE pairs. The error wraps [db.ErrNewer] if a
// newer tkit has migrated the database, and ErrNone if it was not initialised.
func Open(ctx context.Context, address string, schemas ...db.Schema) (*DB, error) {
	d, err := connect(address)
	if err != nil {
		return nil, err
	}
	if err := d.migrate(ctx, schemas); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// CheckAddress returns what is wrong with a connection string. It connects to nothing.
func CheckAddress(address string) error {
	_, err := parse(address)
	return err
}

func parse(address string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(address)
	if err != nil || address == "" { // the error may quote the password
		return nil, errors.New("the address of the database is not a connection string of PostgreSQL, such as postgres://USER:PASSWORD@HOST/DATABASE")
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	c.RuntimeParams["search_path"] = schema
	c.RuntimeParams["idle_in_transaction_session_timeout"] = idleInTransaction
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "tkit"
	}
	return c, nil
}

// connect returns a database without looking at its tables.
func connect(address string) (*DB, error) {
	c, err := parse(address)
	if err != nil {
		return nil, err
	}
	d := &DB{config: c, pool: stdlib.OpenDB(*c)}
	d.pool.SetMaxOpenConns(connections)
	d.pool.SetMaxIdleConns(connections)
	return d, nil
}

// String names the database: its server and its name.
func (d *DB) String() string {
	return net.JoinHostPort(d.config.Host, strconv.Itoa(int(d.config.Port))) + "/" + d.config.Database
}

// Close waits for the transactions in progress and closes the database.
func (d *DB) Close() error { return d.pool.Close() }

// Identity returns the identity that the database got when it was initialised.
func (d *DB) Identity(ctx context.Context) (id string, err error) {
	err = d.Row(ctx, "SELECT id FROM home", nil, &id)
	return id, err
}

// Row reads the only row of a query, with a statement that each connection prepares
// once. The error is [sql.ErrNoRows] if there is none.
func (d *DB) Row(ctx context.Context, query string, args []any, into ...any) error {
	return d.named(fresh(func() error { return d.pool.QueryRowContext(ctx, query, args...).Scan(into...) }))
}

// fresh repeats what changes nothing until it has a connection that the server has not
// closed: after a restart of the server the pool has old ones.
func fresh(f func() error) (err error) {
	for range connections + 1 {
		if err = f(); !isStale(err) {
			return err
		}
	}
	return err
}

// Read runs f in a read-only transaction: all its statements see the same state.
func (d *DB) Read(ctx context.Context, f func(*sql.Tx) error) error {
	return d.transaction(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, f)
}

// Write runs f in a write transaction, after waiting for the other writers of all
// servers. If Write returns nil, the changes are committed and durable. If the server
// ended the transaction because of another one, f is called again. The error wraps
// [db.ErrUnknown] if the server did not answer the commit; after any other error nothing has
// changed.
func (d *DB) Write(ctx context.Context, f func(*sql.Tx) error) error {
	return d.repeated(ctx, sql.LevelRepeatableRead, func(tx *sql.Tx) error {
		// LOCK must come first, because the first query determines which state the
		// transaction sees.
		if _, err := tx.ExecContext(ctx, "LOCK TABLE home IN EXCLUSIVE MODE"); err != nil {
			return err
		}
		return f(tx)
	})
}

// Append runs f in a write transaction that does not wait for those of Write. Every
// statement sees what was committed before it. F has to lock what others may change at
// the same time. Otherwise it is like Write.
func (d *DB) Append(ctx context.Context, f func(*sql.Tx) error) error {
	return d.repeated(ctx, sql.LevelReadCommitted, f)
}

// attempts bounds how often a transaction is begun that others made fail.
const attempts = 20

// repeated runs a write transaction until no other one makes it fail.
func (d *DB) repeated(ctx context.Context, level sql.IsolationLevel, f func(*sql.Tx) error) (err error) {
	for i := range attempts {
		err = d.transaction(ctx, &sql.TxOptions{Isolation: level}, f)
		if !isConflict(err) {
			return err
		}
		select { // for a random time, so that the same two do not meet again
		case <-time.After(rand.N(time.Duration(i+1) * 5 * time.Millisecond)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("%w: other transactions made it fail %d times: try again later", err, attempts)
}

func (d *DB) transaction(ctx context.Context, o *sql.TxOptions, f func(*sql.Tx) error) error {
	var tx *sql.Tx
	err := fresh(func() (err error) {
		tx, err = d.pool.BeginTx(ctx, o)
		return err
	})
	if err != nil {
		return d.named(err)
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return d.named(err)
	}
	if err := tx.Commit(); err != nil {
		return d.named(unanswered(err))
	}
	return nil
}

// Check reads every row, so that the server reports the pages that it finds to be
// damaged, and returns these reports.
func (d *DB) Check(ctx context.Context) ([]string, error) {
	var problems []string
	err := d.Read(ctx, func(tx *sql.Tx) error {
		tables, err := db.Texts(ctx, tx, "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = $1 ORDER BY 1", schema)
		if err != nil {
			return err
		}
		for _, table := range tables {
			var rows int64
			// The text of a row needs all its columns, also those stored elsewhere.
			err := tx.QueryRowContext(ctx, "SELECT count(hashtext(t::text)) FROM "+table+" AS t").Scan(&rows)
			if damage, is := damageOf(err); is {
				problems = append(problems, table+": "+damage)
				return nil // the transaction has failed
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if len(problems) > 0 {
		return problems, nil
	}
	return nil, err
}
