package catalog

import (
	"context"
	"errors"

	"tkit/access"
	policydb "tkit/access/postgres"
	"tkit/access/sqlite"
	"tkit/internal/home"
	"tkit/internal/postgres"
	"tkit/registry"
)

var (
	// ErrNoHome is wrapped by errors about a folder that is not a home.
	ErrNoHome = home.ErrNone
	// ErrShared is the error of a home whose data is in a database of PostgreSQL that was
	// not named.
	ErrShared = home.ErrShared
	// ErrNotInitialised is the error of a database that [InitDatabase] did not prepare.
	ErrNotInitialised = postgres.ErrNone
)

// InitDatabase prepares a database of PostgreSQL for homes: it makes the schema tkit in
// it. It changes nothing in a database that is prepared, and refuses one whose schema
// tkit belongs to another program. Whoever can connect to it as a user who may
// create schemas may do this.
func InitDatabase(ctx context.Context, address string) error {
	return postgres.Initialise(ctx, address)
}

// Check refuses a home that others could write to, and an address that is no connection
// string. If the folder does not exist yet, the folders above it are checked.
func (o Options) Check() error {
	err := home.Check(o.Home)
	if o.Database != "" {
		err = errors.Join(err, postgres.CheckAddress(o.Database))
	}
	return err
}

// Exists returns an error that wraps ErrNoHome unless the folder is a home, or the
// remains of one. A new folder is a home of a database that is named.
func (o Options) Exists() error {
	if o.Database != "" {
		return nil
	}
	return home.Exists(o.Home)
}

// openStore returns the function that opens the store of the policy.
func (o Options) openStore() access.OpenStore {
	if o.Database != "" {
		return policydb.In(o.Database)
	}
	return sqlite.Open
}

// openRegistry opens the registry; own opens that of a home with its own database.
func (o Options) openRegistry(ctx context.Context, own func(context.Context, string) (*registry.Registry, error)) (*registry.Registry, error) {
	if o.Database != "" {
		return registry.OpenShared(ctx, o.Home, o.Database)
	}
	return own(ctx, o.Home)
}
