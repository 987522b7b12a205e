package access

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A Caller is who a request came from.
type Caller struct {
	Principal Principal
	Purpose   string
}

type callerKey struct{}

// WithCaller is ctx for a request of a caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf is the caller of a request, if it has been authenticated.
func CallerOf(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// Authenticate finds the caller of a request by its Authorization header,
// "Bearer TOKEN", and the policy in force. The error wraps ErrUnauthenticated.
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
