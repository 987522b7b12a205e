package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxToken bounds a token's life.
const maxToken = 366 * 24 * time.Hour

// CreateToken creates a token for a principal and returns its secret, which is not
// stored. Callers may create tokens for themselves, administrators for everybody.
func (a *Authority) CreateToken(ctx context.Context, who Caller, t Token) (_ Token, secret string, err error) {
	t.By, t.Created = who.Principal, now()
	if err := t.check(); err != nil {
		return t, "", err
	}
	if t.Expires, err = expiry(t.Expires, t.Created); err != nil || t.Expires.Sub(t.Created) > maxToken {
		return t, "", errors.Join(fmt.Errorf("%w: a token must expire in the future, at most a year from now", ErrInvalid), err)
	}
	secret, t.ID, t.Hash = newSecret()
	q := Request{Action: "create-token", Data: []string{"token " + t.ID, string(t.Principal)}}
	err = a.change(ctx, who, q, func(p *Policy, who Caller) (Decision, error) { return a.mayToken(p, who, t), nil }, edit{func(w Writer) error { return w.AddToken(t) },
		func(p *Policy) bool { return p.byHash[t.Hash] == t }})
	if err != nil {
		return t, "", err
	}
	return t, secret, nil
}

// RevokeToken revokes a token. Its principal and administrators may do this.
func (a *Authority) RevokeToken(ctx context.Context, who Caller, id string) error {
	q := Request{Action: "revoke-token", Data: []string{"token " + id}}
	return a.change(ctx, who, q, func(p *Policy, who Caller) (Decision, error) {
		for _, t := range p.tokens {
			if t.ID == id {
				return a.mayToken(p, who, t), nil
			}
		}
		return Decision{}, fmt.Errorf("%w: token %.40q", ErrNotFound, id)
	}, edit{func(w Writer) error { return w.RevokeToken(id, who.Principal, now()) }, func(p *Policy) bool { return !slices.ContainsFunc(p.tokens, func(t Token) bool { return t.ID == id }) }})
}

// mayToken decides who may create or revoke a token.
func (a *Authority) mayToken(p *Policy, who Caller, t Token) Decision {
	d := a.administers(p, who, tokenObject)
	if t.Principal == who.Principal {
		d.Allowed, d.Reason = true, fmt.Sprintf("the token is %s's own", who.Principal)
	}
	return d
}

// tokenObject is the object of decisions about tokens in the audit log.
const tokenObject Object = "tokens"

// Tokens returns the tokens in force that a caller may see, the oldest first: the
// caller's own, and all of them for an administrator.
func (a *Authority) Tokens(ctx context.Context, who Caller) ([]Token, error) {
	p, err := a.Policy(ctx)
	if err != nil {
		return nil, err
	}
	all := []Token{}
	for _, t := range p.tokens {
		if a.mayToken(p, who, t).Allowed {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(x, y Token) int { return x.Created.Compare(y.Created) })
	return all, nil
}
