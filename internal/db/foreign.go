package db

import (
	"database/sql"
	"fmt"
	"path/filepath"
)

// OpenForeign opens a database whose tables belong to its user and not to tkit:
// nothing is migrated or marked. With write it creates the file if it is missing, and
// transactions take the lock of the writer when they begin. Without, nothing can be
// written. The path of the database is not in the errors of the result.
func OpenForeign(path string, write bool) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	settings := dsn(path, "deferred", "_query_only=1")
	if write {
		if err := create(path); err != nil {
			return nil, fmt.Errorf("database: %w", err)
		}
		settings = dsn(path, "immediate", "_query_only=0")
	}
	return sql.Open("sqlite", settings)
}
