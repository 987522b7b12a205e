package server

import (
	"context"
	"errors"

	"tkit/access"
	"tkit/catalog"
	"tkit/inference"
	"tkit/registry"
	"tkit/serve"
)

// openCatalog opens the catalog of the server's home.
func openCatalog(ctx context.Context, o Options) (*catalog.Catalog, error) {
	options := catalog.Options{Home: o.Home, Database: o.Database}
	if o.Groups != "" {
		options.Groups = access.GroupsFile(o.Groups)
	}
	return catalog.Open(ctx, options)
}

// An authorizer calls the catalog and adds the reasons of responses to its
// errors.
type authorizer struct{ *catalog.Serving }

// newAuthorizer follows the catalog's policy. If all connections are local and
// tokens are not required, a request without a token is made as the account of the
// server.
func newAuthorizer(ctx context.Context, c *catalog.Catalog, o Options, l listeners) (authorizer, error) {
	self, err := catalog.Self("")
	if err != nil {
		return authorizer{}, err
	}
	serving := catalog.ServingOptions{Server: self, Every: o.Watch, Log: o.Log}
	if !o.Authenticate && !l.open {
		serving.Anonymous = self
	}
	s, err := c.Serve(ctx, serving)
	return authorizer{s}, err
}

// authenticate finds the caller of a request. The connection of a known caller is in
// use until the request ends.
func (a authorizer) authenticate(ctx context.Context, header string) (access.Caller, error) {
	c, err := a.Authenticate(header)
	if err == nil {
		useConnection(ctx)
	}
	return c, withReason(err)
}

// use decides whether the caller of a request may use a version.
func (a authorizer) use(ctx context.Context, v inference.Version) error {
	c, _ := access.CallerOf(ctx) // or the anonymous caller
	return withReason(a.AuthorizeUse(ctx, c, v.String(), v.Manifest))
}

// load decides whether the server may load a version.
func (a authorizer) load(ctx context.Context, v inference.Version) error {
	return withReason(a.AuthorizeLoad(ctx, v.String(), v.Manifest))
}

// restrictions returns what restricts a version.
func (a authorizer) restrictions(ctx context.Context, v inference.Version) ([]access.Object, error) {
	by, err := a.Restrictions(ctx, v.String(), v.Manifest)
	return by, withReason(err)
}

// versions is what the server may read of the registry.
func (a authorizer) versions() inference.Registry { return versions{a.Versions()} }

type versions struct{ catalog.Versions }

// Files adds the reason to the error of a decision.
func (v versions) Files(ctx context.Context, ref registry.Ref, attachment string) (registry.Files, error) {
	f, err := v.Versions.Files(ctx, ref, attachment)
	return f, withReason(err)
}

// withReason adds the reason to an error of the catalog.
func withReason(err error) error {
	for _, r := range []struct {
		is     error
		reason inference.Reason
	}{
		{catalog.ErrUnavailable, inference.Unavailable},
		{access.ErrUnauthenticated, serve.Unauthenticated},
		{access.ErrDenied, serve.Forbidden},
	} {
		if errors.Is(err, r.is) {
			return &inference.Error{Reason: r.reason, Err: err}
		}
	}
	return err
}
