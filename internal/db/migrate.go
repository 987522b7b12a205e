package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
)

// ErrNewer is wrapped by the error about a database that a newer tkit has
// migrated further than this one knows.
var ErrNewer = errors.New("the database was written by a newer tkit")

// applicationID marks a file as a database of the project ("tkit" in ASCII),
// as SQLite's application_id does for file(1).
const applicationID = 0x746b6974

// A Schema is the tables of one package in a database.
type Schema struct {
	// Name distinguishes the migrations of packages. It must never change.
	Name string
	// Migrations holds the files 0001_what.sql, 0002_what.sql and so on, each
	// with the statements that lead from one version of the tables to the next.
	// A released migration must never change.
	Migrations fs.FS
	// Begin, if set, is called before the first of these tables are created. If
	// it returns an error, Open fails and the database is unchanged.
	Begin func() error
}

// A Migration is one file of a schema.
type Migration struct {
	Schema  string // its name
	Version int
	Name    string // of the file
	Script  string
}

// Digest returns the SHA-256 of the script.
func (m Migration) Digest() string {
	sum := sha256.Sum256([]byte(m.Script))
	return hex.EncodeToString(sum[:])
}

var migrationName = regexp.MustCompile(`^(\d{4})_[a-z0-9_]+\.sql$`)

// load parses a schema's migrations, which must be numbered 1, 2, 3 …
func load(r Schema) ([]Migration, error) {
	files, err := fs.ReadDir(r.Migrations, ".") // sorted by name
	if err != nil {
		return nil, fmt.Errorf("migrations of schema %s: %w", r.Name, err)
	}
	var all []Migration
	for _, f := range files {
		parts := migrationName.FindStringSubmatch(f.Name())
		if parts == nil {
			return nil, fmt.Errorf("migrations of schema %s: %s is not named like 0001_what.sql", r.Name, f.Name())
		}
		if n, _ := strconv.Atoi(parts[1]); n != len(all)+1 {
			return nil, fmt.Errorf("migrations of schema %s: %s is in place of number %d", r.Name, f.Name(), len(all)+1)
		}
		script, err := fs.ReadFile(r.Migrations, f.Name())
		if err != nil {
			return nil, fmt.Errorf("migrations of schema %s: %w", r.Name, err)
		}
		all = append(all, Migration{r.Name, len(all) + 1, f.Name(), string(script)})
	}
	return all, nil
}

// migrate applies pending migrations, each in its own transaction. If there are
// none, it takes no lock.
func (d *DB) migrate(ctx context.Context, schemas []Schema) error {
	begin := make(map[string]func() error)
	for _, r := range schemas {
		if r.Begin != nil {
			begin[r.Name] = r.Begin
		}
	}
	var todo []Migration
	look := func(tx *sql.Tx) (err error) {
		if todo, err = lacking(ctx, tx, schemas); err != nil {
			return d.named(err)
		}
		return nil
	}
	if err := d.Read(ctx, look); err != nil {
		return err
	}
	for len(todo) > 0 {
		// Another process may have been faster: check again, as the only
		// writer.
		err := d.Write(ctx, func(tx *sql.Tx) error {
			if err := look(tx); err != nil || len(todo) == 0 {
				return err
			}
			if err := askBegin(todo, begin); err != nil {
				return err
			}
			if err := apply(ctx, tx, todo[0]); err != nil {
				return d.named(err)
			}
			todo = todo[1:]
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// askBegin calls Begin of the schemas without any tables.
func askBegin(todo []Migration, begin map[string]func() error) error {
	for _, m := range todo {
		if ask := begin[m.Schema]; m.Version == 1 && ask != nil {
			if err := ask(); err != nil {
				return err
			}
		}
	}
	return nil
}

// lacking returns the pending migrations. It refuses a database that is not the
// project's, is newer, or has a different history.
func lacking(ctx context.Context, tx *sql.Tx, schemas []Schema) ([]Migration, error) {
	var id, tables, noted int
	err := tx.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		count(*), count(*) FILTER (WHERE name = 'migrations') FROM sqlite_schema`).Scan(&id, &tables, &noted)
	if err != nil {
		return nil, err
	}
	if id != applicationID && (id != 0 || tables > 0) {
		return nil, errors.New("this file belongs to another application; choose another home")
	}
	var todo []Migration
	for _, r := range schemas {
		var digests []string
		if noted > 0 {
			if digests, err = Texts(ctx, tx, "SELECT digest FROM migrations WHERE room = ? ORDER BY version", r.Name); err != nil {
				return nil, err
			}
		}
		more, err := r.Pending(digests)
		if err != nil {
			return nil, err
		}
		todo = append(todo, more...)
	}
	return todo, nil
}

// Pending returns the migrations that a database lacks which has those with the given
// digests. The error wraps ErrNewer if it has more of them, and says so if they differ.
func (r Schema) Pending(digests []string) ([]Migration, error) {
	known, err := load(r)
	if err != nil {
		return nil, err
	}
	if len(digests) > len(known) {
		return nil, fmt.Errorf("%w: its %s tables have version %d and this tkit supports version %d: use the newer tkit",
			ErrNewer, r.Name, len(digests), len(known))
	}
	for i, digest := range digests {
		if digest != known[i].Digest() {
			return nil, fmt.Errorf("its %s tables were made by a %s that differs from this tkit's: use the tkit that made them",
				r.Name, known[i].Name)
		}
	}
	return known[len(digests):], nil
}

// apply runs one migration and records it.
func apply(ctx context.Context, tx *sql.Tx, m Migration) error {
	_, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d;
		CREATE TABLE IF NOT EXISTS migrations (
			room    TEXT NOT NULL,
			version INTEGER NOT NULL,
			name    TEXT NOT NULL,
			digest  TEXT NOT NULL, -- SHA-256 of the script
			applied TEXT NOT NULL,
			PRIMARY KEY (room, version)
		) STRICT;`, applicationID))
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, m.Script); err != nil {
		return fmt.Errorf("migration %s of schema %s: %w", m.Name, m.Schema, err)
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO migrations VALUES (?, ?, ?, ?, strftime('%Y-%m-%dT%H:%M:%fZ'))",
		m.Schema, m.Version, m.Name, m.Digest())
	return err
}
