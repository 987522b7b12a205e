package access

import (
	"context"
	"time"

	"tkit/access/audit"
)

// A Store keeps the rows of a home's policy, and the end of its audit log. The rules
// are in this package; a store keeps rows. Package access/sqlite has the store in a
// home's own database, package access/postgres one that several servers share, and
// access/storetest the tests that every store passes.
//
// The methods may be called concurrently, also by several processes that share the
// store.
type Store interface {
	// OpenLog opens the home's audit log, whose end the store keeps. It is closed
	// before the store.
	OpenLog() (audit.Log, error)

	// Generation returns a number that grows with every change of the rows. It must be
	// cheap: commands call it before every decision, and a server about once a
	// second, to see what others have changed. The error says that the store cannot
	// be read, or is no longer the one that was opened, such as a database that was
	// moved away or replaced by a backup.
	Generation(ctx context.Context) (int64, error)

	// Rules reads all rows that are in force, from one state of the store.
	Rules(ctx context.Context) (Rules, error)

	// Update calls f in a transaction. When Update returns nil, what f wrote is
	// durable, and nobody else has changed the rows since f read them. Otherwise
	// nothing was written. A store that finds out only at the end that somebody
	// else was faster calls f again.
	Update(ctx context.Context, f func(Writer) error) error

	// Close closes the store once the calls in progress have returned.
	Close() error
}

// OpenStore opens the store of the home in a folder, and makes what is missing.
type OpenStore func(ctx context.Context, folder string) (Store, error)

// A Writer reads and writes the rows in a transaction. It is valid until the function
// that it was passed to returns. A row that is revoked is kept and no longer in force.
// To change or revoke a row that does not exist is no error.
type Writer interface {
	// Rules reads all rows that are in force, with what the transaction wrote.
	Rules() (Rules, error)

	// AddObject adds a registered dataset, or a model: one with an owner and without
	// a URI. An object that exists is an error.
	AddObject(Object, Registered) error
	SetOwner(Object, Principal) error
	// RemoveObject ends the registration of an object, and revokes its grants, its
	// declassifications and its snapshots. If the object is added again, it has none
	// of them. To an object that is removed nothing can be added.
	RemoveObject(o Object, by Principal, at time.Time) error
	// AddSnapshot adds a snapshot of a registered dataset, unless it is there.
	AddSnapshot(Snapshot) error

	// AddGrant and AddDeclassification return the number of the row: higher than any
	// before, also of rows that were revoked.
	AddGrant(Grant) (id int64, err error)
	AddDeclassification(Declassification) (id int64, err error)
	// AddToken adds a token. An ID or a hash that exists is an error.
	AddToken(Token) error

	RevokeGrant(id int64, by Principal, at time.Time) error
	RevokeDeclassification(id int64, by Principal, at time.Time) error
	RevokeToken(id string, by Principal, at time.Time) error
}

// Rules are the rows that a policy consists of.
type Rules struct {
	Generation        int64
	Owners            map[Object]Principal
	Datasets          []Registered // with an owner in Owners
	Snapshots         []Snapshot
	Grants            []Grant            // the oldest first
	Declassifications []Declassification // the oldest first
	Tokens            []Token            // the oldest first
	// Damage says of an object why the store could not read all of its
	// registration. Rows have a field of their own for this.
	Damage map[Object]error
}

// now is the present, as exact as a store keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
