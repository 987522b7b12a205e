package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"tkit/internal/db"
)

// ErrNone: the database was not initialised.
var ErrNone = errors.New("this database has no tables of tkit, and none are made unless it is initialised")

// The codes of errors; see the appendix "Error Codes" of PostgreSQL's documentation.
const (
	serializationFailure = "40001"
	deadlock             = "40P01"
	noSuchSchema         = "3F000"
	noSuchTable          = "42P01"
	noSuchDatabase       = "3D000"
	noPrivilege          = "42501"
	readOnly             = "25006"
	tooManyConnections   = "53300"
	diskFull             = "53100"
	adminShutdown        = "57P01"
	crashShutdown        = "57P02"
)

// isConflict reports whether another transaction made one fail, which may succeed if it
// is repeated.
func isConflict(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == serializationFailure || e.Code == deadlock)
}

// unanswered marks the error of a commit whose result is unknown.
func unanswered(err error) error {
	if _, answered := errors.AsType[*pgconn.PgError](err); answered || !isOutage(err) {
		return err
	}
	return fmt.Errorf("%w: %w", db.ErrUnknown, err)
}

// damageOf returns what the server says about data that it cannot read.
func damageOf(err error) (string, bool) {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if ok && strings.HasPrefix(e.Code, "XX") { // internal errors, such as a damaged page
		return e.Message, true
	}
	return "", false
}

// isOutage reports whether an error ends when the server can be reached again.
func isOutage(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case e.Code == readOnly, e.Code == tooManyConnections:
			return true
		case strings.HasPrefix(e.Code, "08"), strings.HasPrefix(e.Code, "57P"): // connections, shutdown and start
			return true
		}
		return false
	}
	if errors.Is(err, context.Canceled) {
		return false
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok { // also after the time to connect
		return true
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		pgconn.SafeToRetry(err)
}

// isStale reports whether an error is of a connection that the server closed some time
// ago.
func isStale(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == adminShutdown || e.Code == crashShutdown
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	return !connecting && isOutage(err)
}

// remedy returns what to do about an error of the server that tkit does not cause.
func remedy(err error) string {
	e, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok:
		return ""
	case strings.HasPrefix(e.Code, "28"):
		return ": the server refuses the user or the password of the address"
	case e.Code == noSuchDatabase:
		return ": create it, or correct the address"
	case e.Code == noPrivilege:
		return ": let the user of the address use the schema tkit, or use the one who initialised the database"
	case e.Code == diskFull:
		return ": free some space on its disk"
	}
	return ""
}

// named adds the database and the remedy to an error of the server, once.
func (d *DB) named(err error) error {
	if _, already := errors.AsType[*Error](err); err == nil || already {
		return err
	}
	_, ofServer := errors.AsType[*pgconn.PgError](err)
	outage := isOutage(err)
	if !ofServer && !outage {
		return err
	}
	e := &Error{Database: d.String(), Err: err}
	if outage {
		e.Err = fmt.Errorf("%w: %w", db.ErrUnreachable, err)
	}
	return e
}

// An Error is an error of the server.
type Error struct {
	Database string // its server and name
	Err      error
}

func (e *Error) Error() string {
	return "database " + e.Database + ": " + e.Err.Error() + remedy(e.Err)
}

func (e *Error) Unwrap() error { return e.Err }
