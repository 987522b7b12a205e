package sql

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tkit/ingest/failure"
)

// A meaning is what an error of a database means.
type meaning struct {
	kind failure.Kind
	// settings is set if the pipeline or the database must be changed: a password is
	// wrong, a table is missing.
	settings bool
}

var (
	ofRow      = meaning{kind: failure.Lasting} // the database will always refuse this row
	ofOthers   = meaning{kind: failure.Unknown} // it may accept the row later
	ofService  = meaning{kind: failure.Outage}
	ofSettings = meaning{kind: failure.Outage, settings: true}
)

// KindOf returns what an error of a database means for an image. Only what is wrong
// with its values is the image's fault; everything else is waited for.
func KindOf(err error) failure.Kind { return meaningOf(err).kind }

// IsMisconfigured reports whether an error does not end before somebody changes the
// pipeline or the database.
func IsMisconfigured(err error) bool { return meaningOf(err).settings }

func meaningOf(err error) meaning {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return ofPostgres(e.Code)
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return ofSQLite(e.Code())
	}
	return ofService // no answer
}

// ofPostgres returns the meaning of an error code, whose first two characters are its
// class; see the appendix "Error Codes" of PostgreSQL's documentation.
func ofPostgres(code string) meaning {
	const foreignKey, readOnly = "23503", "25006"
	switch {
	case code == foreignKey: // the row that it refers to may come
		return ofOthers
	case code == readOnly: // a standby
		return ofService
	case len(code) != 5:
		return ofOthers
	}
	switch code[:2] {
	case "22", "23", "44", "54": // data, constraints, checks of views, limits
		return ofRow
	case "P0": // raised by a trigger
		return ofOthers
	case "0A", "28", "3D", "3F", "42": // authorization, names
		return ofSettings
	}
	return ofService
}

func ofSQLite(code int) meaning {
	if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY || code == sqlite3.SQLITE_CONSTRAINT_TRIGGER {
		return ofOthers
	}
	switch code & 0xff { // the upper bits give details
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
		return ofRow
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY:
		return ofSettings
	}
	return ofService
}
