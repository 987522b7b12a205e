// Package sql writes the results of a pipeline into tables of PostgreSQL and SQLite,
// and reads from them.
package sql

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"tkit/internal/db"
)

// The drivers of databases.
const (
	Postgres = "postgres"
	SQLite   = "sqlite"
)

// Stage is the stage of this package's failures.
const Stage = "sql"

// connectTimeout bounds the time to connect, unless the connection string has another.
const connectTimeout = 10 * time.Second

// A Database says where a database is.
type Database struct {
	Driver string
	DSN    string // of PostgreSQL: a URL or KEY=VALUE pairs; it may have a password
	Path   string // of SQLite: a file
}

// Check returns what is wrong with a database's description. It connects to nothing.
// The error does not have the connection string.
func (d Database) Check() error {
	switch {
	case d.Driver != Postgres && d.Driver != SQLite:
		return fmt.Errorf("driver must be %s or %s", Postgres, SQLite)
	case d.Driver == Postgres && (d.DSN == "" || d.Path != ""):
		return errors.New("the driver postgres needs dsn, and has no path")
	case d.Driver == SQLite && (d.Path == "" || d.DSN != ""):
		return errors.New("the driver sqlite needs path, and has no dsn")
	case d.Driver == Postgres:
		_, err := d.config()
		return err
	}
	return nil
}

func (d Database) config() (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(d.DSN)
	if err != nil { // which may quote the password
		return nil, errors.New("dsn is not a connection string of PostgreSQL, such as postgres://USER:PASSWORD@HOST/DATABASE")
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	return c, nil
}

// Open opens the database, for reading only unless write is set. It connects when it is
// used. A missing file of SQLite is created for writing.
func (d Database) Open(write bool) (*sql.DB, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	if d.Driver == SQLite {
		return db.OpenForeign(d.Path, write)
	}
	c, err := d.config()
	if err != nil {
		return nil, err
	}
	if !write {
		c.RuntimeParams["default_transaction_read_only"] = "on"
	}
	return stdlib.OpenDB(*c), nil
}

// maxIdentifier is the length, in bytes, after which PostgreSQL cuts a name off.
const maxIdentifier = 63

// quote returns a name as SQL.
func quote(name string) (string, error) {
	switch {
	case name == "":
		return "", errors.New("the name of a table or a column is empty")
	case len(name) > maxIdentifier:
		return "", fmt.Errorf("the name %q is longer than %d bytes", name, maxIdentifier)
	case strings.ContainsRune(name, 0):
		return "", fmt.Errorf("the name %q has a zero byte", name)
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`, nil
}

// quoteTable returns TABLE or SCHEMA.TABLE as SQL.
func quoteTable(table string) (string, error) {
	parts := strings.Split(table, ".")
	if len(parts) > 2 {
		return "", fmt.Errorf("the table %q is neither TABLE nor SCHEMA.TABLE", table)
	}
	for i, part := range parts {
		quoted, err := quote(part)
		if err != nil {
			return "", err
		}
		parts[i] = quoted
	}
	return strings.Join(parts, "."), nil
}

// parameters returns the text of n parameters: $1, $2 or ?1, ?2.
func (d Database) parameters(n int) string {
	sign := "?"
	if d.Driver == Postgres {
		sign = "$"
	}
	all := make([]string, n)
	for i := range all {
		all[i] = sign + strconv.Itoa(i+1)
	}
	return strings.Join(all, ", ")
}
