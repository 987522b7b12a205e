package catalog

import (
	"context"
	"time"

	"tkit/access"
)

// WhoAmI returns the caller with the groups that it is in. Nothing is recorded.
func (c *Catalog) WhoAmI(ctx context.Context, who access.Caller) (access.Caller, error) {
	return c.authority.Resolve(ctx, who)
}

// TokenOptions describe a token to create.
type TokenOptions struct {
	Principal access.Principal // whose requests it authenticates; "" means the caller's
	Purpose   string           // of these requests
	Note      string           // for people
	Expires   time.Time        // at most a year from now
}

// CreateToken creates a token and returns it with its secret, which is not
// stored. Callers may create tokens for themselves, administrators for
// everybody.
func (c *Catalog) CreateToken(ctx context.Context, who access.Caller, o TokenOptions) (_ access.Token, secret string, err error) {
	if who, err = c.authority.Resolve(ctx, who); err != nil {
		return access.Token{}, "", err
	}
	t := access.Token{Principal: o.Principal, Purpose: o.Purpose, Note: o.Note, Expires: o.Expires}
	if t.Principal == "" {
		t.Principal = who.Principal
	}
	return c.authority.CreateToken(ctx, who, t)
}

// ListTokens returns the tokens in force that the caller may see, the oldest
// first: the caller's own, and all of them for an administrator. Nothing is
// recorded.
func (c *Catalog) ListTokens(ctx context.Context, who access.Caller) ([]access.Token, error) {
	who, err := c.authority.Resolve(ctx, who)
	if err != nil {
		return nil, err
	}
	return c.authority.Tokens(ctx, who)
}

// RevokeToken revokes a token. Its principal and administrators may do this.
func (c *Catalog) RevokeToken(ctx context.Context, who access.Caller, id string) error {
	who, err := c.authority.Resolve(ctx, who)
	if err != nil {
		return err
	}
	return c.authority.RevokeToken(ctx, who, id)
}
