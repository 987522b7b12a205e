package server

import (
	"context"
	"errors"

	"tkit/access"
	"tkit/catalog"
	"tkit/inference"
	"tkit/serve"
)

// openCatalog opens the catalog that the server serves from.
func openCatalog(ctx context.Context, o Options) (*catalog.Catalog, error) {
	options := catalog.Options{Home: o.Home}
	if o.Groups != "" {
		options.Groups = access.GroupsFile(o.Groups)
	}
	return catalog.Open(ctx, options)
}

// An authorizer asks the catalog and gives its errors the reasons that the front
// ends answer with.
type authorizer struct{ *catalog.Serving }

// newAuthorizer follows the catalog's policy. Where every connection is local and no
// token is demanded, a request without one comes from the account of the server.
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
	c, _ := access.CallerOf(ctx) // or nobody
	return withReason(a.AuthorizeUse(ctx, c, v.String(), v.Manifest))
}

// load decides whether the server may load a version.
func (a authorizer) load(ctx context.Context, v inference.Version) error {
	return withReason(a.AuthorizeLoad(ctx, v.String(), v.Manifest))
}

// withReason gives an error of the catalog its reason.
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
