// Package home opens tkit's home: the folder with its models, policies and
// caches, and its database.
//
// The database contains the permissions and the references to blobs. A lost
// database must therefore not be mistaken for a new one: an empty policy allows
// everything, and without references every model is garbage. So a home has an
// identity, in the database and in a file beside it, and tables are created
// only if there is no trace of earlier use.
package home

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"tkit/internal/db"
)

// Database is the name of a home's database.
const Database = "registry.db"

var (
	// ErrLost: the database or some of its tables are missing or empty, and the
	// home was in use before.
	ErrLost = errors.New("the database of this home is lost")
	// ErrForeign: the database belongs to another home.
	ErrForeign = errors.New("the database does not belong to this home")
	// ErrNone: there is no home.
	ErrNone = errors.New("there is no home")
)

//go:embed migrations/*.sql
var migrations embed.FS

// traces lists, by the package that owns the tables, patterns of files that
// exist only if the tables do. They are relative to the home's folder.
var traces = map[string][]string{
	"home":     {identityFile},
	"registry": {"blobs/sha256/*/*"},
	"access":   {"audit/audit-*.jsonl", "restricted/*"},
}

// Open opens the database of the home in a folder with the tables of one
// package, creating what is missing. The error wraps ErrLost or ErrForeign if
// the database is not the one that this home was used with; nothing is changed
// then.
func Open(ctx context.Context, folder string, tables db.Schema) (*db.DB, error) {
	path, found, err := examine(folder)
	if err != nil {
		return nil, err
	}
	scripts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("home: %w", err)
	}
	schemas := []db.Schema{{Name: "home", Migrations: scripts}, tables}
	for i := range schemas {
		schemas[i].Begin = func() error { return missing(folder, schemas[i].Name, found[schemas[i].Name]) }
	}
	d, err := db.Open(ctx, path, schemas...)
	if err != nil {
		return nil, err
	}
	if err := settle(ctx, d, folder, found); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// examine checks a home before its database is opened, and returns the path of
// the database and the traces of earlier use.
func examine(folder string) (path string, found map[string]string, err error) {
	if err := Check(folder); err != nil {
		return "", nil, err
	}
	// A home's tables are created before anything that leaves a trace. So the
	// traces are collected first: the tables of each trace found must exist by
	// then.
	if found, err = traced(folder); err != nil {
		return "", nil, err
	}
	path = filepath.Join(folder, Database)
	return path, found, checkNew(path, found)
}

// OpenAlone opens the database of an existing home for reading if its disk is
// full; see [db.OpenAlone]. It makes the same checks as Open.
func OpenAlone(ctx context.Context, folder string) (*db.DB, error) {
	path, found, err := examine(folder)
	if err != nil {
		return nil, err
	}
	d, err := db.OpenAlone(path)
	if err != nil {
		return nil, err
	}
	if err := settle(ctx, d, folder, found); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Exists returns an error that wraps ErrNone unless a folder is a home or the
// remains of one.
func Exists(folder string) error {
	if _, err := os.Lstat(filepath.Join(folder, Database)); err == nil {
		return nil
	}
	for _, owner := range owners() {
		if found, err := trace(folder, owner); found != "" || err != nil {
			return err
		}
	}
	return fmt.Errorf("%w at %s", ErrNone, folder)
}

// checkNew refuses a database that is missing or empty in a home that was in
// use. SQLite must not open it: it would remove the log of an emptied database,
// from which the database may still be restored.
func checkNew(path string, found map[string]string) error {
	var shown string
	for _, owner := range owners() {
		if shown == "" {
			shown = found[owner]
		}
	}
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		shown = Database + "-wal"
	}
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if info, err = os.Stat(path); err != nil {
			return fmt.Errorf("home: %s is a dangling link: restore the database that it pointed to: %w", path, err)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return lost(shown, path, "is missing")
	case err != nil:
		return fmt.Errorf("home: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("home: %s is not a file: move it away, and restore the database from a backup", path)
	case info.Size() == 0:
		return lost(shown, path, "is empty")
	}
	return nil
}

func lost(found, path, how string) error {
	if found == "" {
		return nil
	}
	if isShared(filepath.Dir(path)) {
		return fmt.Errorf("%w: name it to use the home %s", ErrShared, filepath.Dir(path))
	}
	return fmt.Errorf("%w: %s %s, and %s shows that the home was in use; nothing was changed. %s",
		ErrLost, path, how, filepath.Join(filepath.Dir(path), found), remedy)
}

const remedy = "Restore the database, with the -wal file beside it if there is one, from a backup. To start afresh, move the whole folder away or choose another home"

// missing returns the error about a database without a package's tables that
// were in use.
func missing(folder, owner, found string) error {
	if found == "" {
		return nil
	}
	return fmt.Errorf("%w: it has no %s tables, but %s shows that they existed; nothing was changed. %s",
		ErrLost, owner, filepath.Join(folder, found), remedy)
}

// traced finds a trace of each package's tables.
func traced(folder string) (map[string]string, error) {
	found := make(map[string]string)
	for _, owner := range owners() {
		var err error
		if found[owner], err = trace(folder, owner); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// trace returns a file that shows that a package's tables were in use, "" if
// there is none.
func trace(folder, owner string) (string, error) {
	for _, pattern := range traces[owner] {
		found, err := first(folder, strings.Split(pattern, "/"))
		if found != "" || err != nil {
			return found, err
		}
	}
	return "", nil
}

// first returns the first path below a folder whose elements match, "" if there
// is none. Unlike fs.Glob it stops there and reports unreadable folders.
func first(folder string, elements []string) (string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("home: %w", err)
	}
	for _, e := range entries {
		if match, err := filepath.Match(elements[0], e.Name()); err != nil || !match {
			continue
		}
		if len(elements) == 1 {
			return e.Name(), nil
		}
		if below, err := first(filepath.Join(folder, e.Name()), elements[1:]); below != "" || err != nil {
			return filepath.Join(e.Name(), below), err
		}
	}
	return "", nil
}

// owners lists the packages that own tables.
func owners() []string { return []string{"home", "access", "registry"} }

// checkTables refuses a database that lacks tables of which there are traces,
// or that has tables unknown to this tkit: they may contain permissions or
// references.
func checkTables(ctx context.Context, tx *sql.Tx, folder string, found map[string]string) error {
	rows, err := tx.QueryContext(ctx, "SELECT DISTINCT room FROM migrations ORDER BY room")
	if err != nil {
		return err
	}
	defer rows.Close()
	there := make(map[string]bool)
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if !slices.Contains(owners(), name) {
			return fmt.Errorf("%w: it has %.40q tables, which this tkit does not know: use the newer tkit", db.ErrNewer, name)
		}
		there[name] = true
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, owner := range owners() {
		if !there[owner] {
			if err := missing(folder, owner, found[owner]); err != nil {
				return err
			}
		}
	}
	return nil
}
