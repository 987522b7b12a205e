package catalog

import (
	"context"
	"errors"

	"tkit/access"
	"tkit/access/hadoop"
	"tkit/internal/workfolder"
	"tkit/registry"
)

// A Catalog is the catalog of a home. Its methods may be called concurrently.
type Catalog struct {
	home      string
	registry  *registry.Registry
	authority *access.Authority
	temporary *workfolder.Folder // of a catalog without a home, or nil
}

// Options select the catalog to open.
type Options struct {
	// Home is the folder that holds the registry, the policy and the audit log.
	Home string
	// Database is the connection string of a database of PostgreSQL that holds their
	// metadata instead, and that other homes share; "" if the home has its own.
	Database string
	// Groups provides the groups of callers. Nil means those of the home's
	// access/groups.yaml or, without such a file, of the operating system and, for
	// datasets in HDFS, of the NameNode.
	Groups access.Groups
}

// Open opens the catalog of a home and creates what is missing. The caller
// closes it.
func Open(ctx context.Context, o Options) (*Catalog, error) {
	authority, err := openAuthority(ctx, o)
	if err != nil {
		return nil, err
	}
	r, err := o.openRegistry(ctx, registry.Open)
	if err != nil {
		return nil, errors.Join(err, authority.Close())
	}
	return &Catalog{home: o.Home, registry: r, authority: authority}, nil
}

func openAuthority(ctx context.Context, o Options) (*access.Authority, error) {
	if o.Groups == nil {
		o.Groups = hadoop.New(o.Home)
	}
	return access.Open(ctx, o.Home, o.openStore(), o.Groups)
}

// Close closes the catalog once the calls in progress have returned.
func (c *Catalog) Close() error {
	err := errors.Join(c.registry.Close(), c.authority.Close())
	if c.temporary != nil {
		err = errors.Join(err, c.temporary.Close())
	}
	return err
}

// Self returns the caller that a process acts for on its own machine: the
// system account that runs it.
func Self(purpose string) (access.Caller, error) {
	p, err := access.Self()
	return access.Caller{Principal: p, Purpose: purpose}, err
}

// An OptionError is an error about an option of an operation, so that a front
// end can name the corresponding flag or parameter.
type OptionError struct {
	Option string // such as "data"
	Err    error
}

func (e *OptionError) Error() string { return e.Option + ": " + e.Err.Error() }

func (e *OptionError) Unwrap() error { return e.Err }

// begin resolves the caller's groups and reads the policy in force.
func (c *Catalog) begin(ctx context.Context, who access.Caller) (access.Caller, *access.Policy, error) {
	who, err := c.authority.Resolve(ctx, who)
	if err != nil {
		return who, nil, err
	}
	p, err := c.authority.Policy(ctx)
	return who, p, err
}

// version resolves a reference to a version and what restricts it.
func (c *Catalog) version(ctx context.Context, ref registry.Ref) (*registry.Manifest, []access.Origin, error) {
	m, err := c.registry.Resolve(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	origins, err := c.origins(ctx, m)
	return m, origins, err
}

// origins returns what restricts a version: itself, then the registered versions
// that it was built on. A version whose lineage cannot be followed to its end
// has an error and no origins.
func (c *Catalog) origins(ctx context.Context, m *registry.Manifest) ([]access.Origin, error) {
	lineage, err := c.registry.Lineage(ctx, m)
	if err != nil {
		return nil, err
	}
	origins := make([]access.Origin, len(lineage))
	for i, v := range lineage {
		origins[i] = originOf(v)
	}
	return origins, nil
}

func originOf(m *registry.Manifest) access.Origin {
	o := access.Origin{Version: m.Ref().String(), Model: access.Model(m.Model)}
	for _, s := range m.Lineage.Snapshots {
		o.Data = append(o.Data, access.Data{Datasets: s.Datasets, URI: s.URI, Digest: string(s.Digest)})
	}
	return o
}

// A RightDecision is whether a caller has a right, and why.
type RightDecision struct {
	Right access.Right `json:"right"`
	access.Decision
}

// decisions decides several rights on one thing without recording it.
func (c *Catalog) decisions(ctx context.Context, p *access.Policy, who access.Caller, q access.Request, rights ...access.Right) ([]RightDecision, error) {
	all := make([]RightDecision, len(rights))
	for i, right := range rights {
		q.Right = right
		d, err := c.authority.Decide(ctx, p, who, q)
		if err != nil {
			return nil, err
		}
		all[i] = RightDecision{right, d}
	}
	return all, nil
}
