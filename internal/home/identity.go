package home

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tkit/internal/db"
	"tkit/internal/durable"
)

// identityFile identifies the home that the database beside it belongs to.
const identityFile = "identity"

// longestIdentity bounds the file's size, in bytes.
const longestIdentity = 256

// settle compares the identity of a database with that of its folder. A
// database that is new, or older than identities, gives the folder its
// identity, once. After that a missing file is refused like one of another
// home.
func settle(ctx context.Context, d *db.DB, folder string, found map[string]string) error {
	var id string
	var noted bool
	err := d.Read(ctx, func(tx *sql.Tx) error {
		if err := checkTables(ctx, tx, folder, found); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT id, noted FROM home").Scan(&id, &noted)
	})
	if err != nil {
		return fmt.Errorf("home %s: %w", folder, err)
	}
	path := filepath.Join(folder, identityFile)
	named, err := readIdentity(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && noted:
		return fmt.Errorf("%w: %s is missing. If %s is this home's database, write the line %s into that file",
			ErrForeign, path, filepath.Join(folder, Database), id)
	case errors.Is(err, fs.ErrNotExist):
		err = writeIdentity(path, id)
	case err == nil && named != id:
		return fmt.Errorf("%w: it belongs to home %s, but %s contains %.40q. Restore the database of this home", ErrForeign, id, path, named)
	}
	if err == nil && !noted {
		err = d.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE home SET noted = 1")
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("home %s: %w", folder, err)
	}
	return nil
}

func readIdentity(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, longestIdentity))
	return strings.TrimSpace(string(text)), err
}

// writeIdentity writes the file atomically. Two processes that open a new home
// write the same content.
func writeIdentity(path, id string) error {
	beside := path + "-" + rand.Text()
	if err := durable.WriteFile(beside, []byte(id+"\n"), 0o600); err != nil {
		return errors.Join(err, os.Remove(beside))
	}
	if err := os.Rename(beside, path); err != nil {
		return errors.Join(err, os.Remove(beside))
	}
	return durable.SyncFolder(filepath.Dir(path))
}
