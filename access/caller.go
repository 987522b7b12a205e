package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Caller is an authenticated principal that makes a request, with the purpose
// that it states. The zero Caller is anonymous.
type Caller struct {
	Principal Principal
	Purpose   string
	// Groups are those that the principal is in, as [Authority.Resolve] found
	// them. They are never taken from the caller.
	Groups []Principal

	// unsure means that no directory knows the principal, so that it may be in
	// unknown groups; see [Groups].
	unsure bool
	// clusters has the groups that count for the datasets in each cluster, in
	// place of Groups; see [Authority.ResolveIn].
	clusters map[string]inCluster
}

// is reports whether the caller is a principal or a member of it.
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
// error wraps ErrUnauthenticated if the caller is anonymous, and
// ErrUnknownGroups if the groups cannot be determined.
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
