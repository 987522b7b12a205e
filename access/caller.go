package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Caller is an authenticated principal that asks for something, and what it
// says it wants it for. The zero Caller is nobody.
type Caller struct {
	Principal Principal
	Purpose   string
	// Groups are those that the principal is in, as [Authority.Resolve] found
	// them. They are never taken from the caller.
	Groups []Principal

	// unsure says that no directory knows the principal: it may be in groups all
	// the same; see [Groups].
	unsure bool
	// clusters has the groups that count for the datasets in each cluster, in
	// place of Groups; see [Authority.ResolveIn].
	clusters map[string]inCluster
}

// is says whether the caller is a principal or belongs to it.
func (c Caller) is(p Principal) bool { return c.Principal == p || slices.Contains(c.Groups, p) }

// errNobody is the error of a request without a caller.
var errNobody = fmt.Errorf("%w: the request has no caller", ErrUnauthenticated)

type callerKey struct{}

// WithCaller returns a context for a request of a caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns the caller of a request, if it has been authenticated.
func CallerOf(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// Authenticate finds the caller of a request by its Authorization header,
// "Bearer TOKEN", and the policy in force. It does not resolve the caller's
// groups. The error wraps ErrUnauthenticated.
func Authenticate(p *Policy, header string, now time.Time) (Caller, error) {
	scheme, secret, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return Caller{}, fmt.Errorf("%w: give a token, as Authorization: Bearer TOKEN", ErrUnauthenticated)
	}
	t, err := p.Authenticate(strings.TrimSpace(secret), now)
	if err != nil {
		return Caller{}, err
	}
	return Caller{Principal: t.Principal, Purpose: t.Purpose}, nil
}

// Resolve returns a caller with the groups that its principal is in now. The
// error wraps ErrUnauthenticated where the caller is nobody, and
// ErrUnknownGroups where the groups cannot be found out.
func (a *Authority) Resolve(ctx context.Context, c Caller) (Caller, error) {
	if c.Principal == "" {
		return Caller{}, errNobody
	}
	if _, err := ParsePrincipal(string(c.Principal)); err != nil {
		return Caller{}, err
	}
	groups, err := a.cache.of(ctx, member{principal: c.Principal})
	if err != nil {
		return Caller{}, err
	}
	return Caller{Principal: c.Principal, Purpose: c.Purpose, Groups: groups, unsure: groups == nil}, nil
}
