package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tkit/internal/db"
	"tkit/internal/postgres"
)

// ErrShared: the data of the home is in a database of PostgreSQL, which was not named.
var ErrShared = errors.New("the data of this home is in a database of PostgreSQL")

// OpenShared opens a database of PostgreSQL, which several homes share, with the tables of
// one package, creating missing tables. It returns the identity of the database.
// Address is its connection string. A new home gets that identity, once. The error
// wraps ErrForeign if the home was used with another database, also with its own, and
// [postgres.ErrNone] if the database was not initialised; nothing is changed then.
func OpenShared(ctx context.Context, folder, address string, tables db.Schema) (*postgres.DB, string, error) {
	if err := postgres.CheckAddress(address); err != nil {
		return nil, "", err
	}
	if err := Check(folder); err != nil {
		return nil, "", err
	}
	d, err := postgres.Open(ctx, address, tables)
	if err != nil {
		return nil, "", err
	}
	id, err := d.Identity(ctx)
	if err == nil {
		err = adopt(folder, id)
	}
	if err != nil {
		return nil, "", errors.Join(err, d.Close())
	}
	return d, id, nil
}

// adopt compares the identity of a home with that of a database, and gives it to a new
// home.
func adopt(folder, id string) error {
	path := filepath.Join(folder, identityFile)
	named, err := readIdentity(path)
	switch {
	case err == nil && named == id:
		return nil
	case err == nil:
		return fmt.Errorf("%w: the home %s was used with another one: choose another home or the database %.60q", ErrForeign, folder, named)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("home %s: %w", folder, err)
	}
	if _, err := os.Lstat(filepath.Join(folder, Database)); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("%w: the home %s has a database of its own: choose another home", ErrForeign, folder), err)
	}
	found, err := traced(folder)
	if err != nil {
		return err
	}
	for _, owner := range owners() {
		if found[owner] != "" {
			return fmt.Errorf("%w: %s shows that the home was in use, and the file %s of that time is missing: restore it or choose another home",
				ErrForeign, filepath.Join(folder, found[owner]), identityFile)
		}
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("home: %w", err)
	}
	if err := writeIdentity(path, id); err != nil {
		return fmt.Errorf("home %s: %w", folder, err)
	}
	return nil
}

// isShared reports whether a home was used with a database of PostgreSQL.
func isShared(folder string) bool {
	id, err := readIdentity(filepath.Join(folder, identityFile))
	return err == nil && strings.HasPrefix(id, postgres.IdentityPrefix)
}
