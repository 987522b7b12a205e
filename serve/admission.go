package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tkit/access"
	"tkit/catalog"
	"tkit/inference"
	"tkit/registry"
)

// An Admission knows who asks and decides, for each request, whether they may
// use the version that would answer. Its methods may be called at once.
//
// A decision is made, and written into the audit log, once for each caller,
// version and state of the policy, and then holds for the requests that follow:
// until the policy or the caller's groups change, or something expires.
type Admission struct {
	authority *access.Authority
	policy    *access.Follower
	registry  *registry.Registry
	server    access.Caller
	anonymous *access.Caller
	log       *slog.Logger

	mu        sync.RWMutex
	decisions map[decisionKey]made
	deciding  chan struct{} // holds who writes into the audit log
}

type decisionKey struct {
	principal access.Principal
	purpose   string
	version   string
}

// made is a decision with the groups that it was made by.
type made struct {
	access.Decision
	clusters    []string // whose groups may decide
	memberships string
}

// mostDecisions bounds what is kept; beyond it all are made anew.
const mostDecisions = 10_000

// AdmissionOptions say what an admission decides by.
type AdmissionOptions struct {
	Authority *access.Authority
	// Policy is followed for as long as there are requests.
	Policy *access.Follower
	// Registry has the versions that are served; nil where they come from a folder.
	Registry *registry.Registry
	// Server is the account that has versions in its memory. It must have the
	// right to use what it serves, as those who ask must.
	Server access.Principal
	// Anonymous is who a request without a token comes from; nil: nobody, and
	// it is refused.
	Anonymous *access.Caller
	Log       *slog.Logger
}

// NewAdmission makes an admission.
func NewAdmission(o AdmissionOptions) *Admission {
	return &Admission{authority: o.Authority, policy: o.Policy, registry: o.Registry,
		server: access.Caller{Principal: o.Server}, anonymous: o.Anonymous, log: o.Log,
		decisions: make(map[decisionKey]made), deciding: make(chan struct{}, 1)}
}

// Check says why nobody is admitted now, nil where some may be: the policy cannot
// be read. The error's reason is Unavailable.
func (a *Admission) Check() error {
	if _, err := a.policy.Policy(); err != nil {
		return &inference.Error{Reason: inference.Unavailable, Err: err}
	}
	return nil
}

// Authenticate finds the caller of a request by its Authorization header. The
// error's reason is Unauthenticated, or Unavailable where the policy cannot be
// read.
func (a *Admission) Authenticate(header string) (access.Caller, error) {
	if header == "" && a.anonymous != nil {
		return *a.anonymous, nil
	}
	p, err := a.policy.Policy()
	if err != nil {
		return access.Caller{}, &inference.Error{Reason: inference.Unavailable, Err: err}
	}
	c, err := access.Authenticate(p, header, time.Now())
	if err != nil {
		return c, &inference.Error{Reason: Unauthenticated, Err: err}
	}
	return c, nil
}

// Admit decides whether the caller of a request may use a version. The error's
// reason is Forbidden, Unauthenticated where the context has no caller, or
// Unavailable where it cannot be decided. Why it is forbidden is for the log:
// what stands behind a model is not for everybody's eyes.
func (a *Admission) Admit(ctx context.Context, v inference.Version) error {
	caller, known := access.CallerOf(ctx)
	if !known {
		return &inference.Error{Reason: Unauthenticated, Err: access.ErrUnauthenticated}
	}
	d, err := a.decide(ctx, caller, "serve", v)
	if err == nil && d.Allowed {
		if err := a.Load(ctx, v); err != nil {
			return err
		}
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		a.log.ErrorContext(ctx, "cannot decide who may use a version", "version", v, "principal", caller.Principal, "error", err)
		return &inference.Error{Reason: inference.Unavailable, Err: fmt.Errorf("cannot decide now who may use %s", v)}
	case !d.Allowed:
		return &inference.Error{Reason: Forbidden, Err: fmt.Errorf("%s may not use %s", caller.Principal, v)}
	}
	return nil
}

// Load decides whether this server may have a version in its memory. The error's
// reason is Unavailable.
func (a *Admission) Load(ctx context.Context, v inference.Version) error {
	d, err := a.decide(ctx, a.server, "load", v)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		a.log.ErrorContext(ctx, "cannot decide whether this server may have a version", "version", v, "error", err)
		return &inference.Error{Reason: inference.Unavailable, Err: fmt.Errorf("cannot decide now whether %s may be served here", v)}
	case !d.Allowed:
		return &inference.Error{Reason: inference.Unavailable, Err: fmt.Errorf("%s may not be served here: the account that runs the server has no right to use it", v)}
	}
	return nil
}

// decide decides what a caller wants of a version.
func (a *Admission) decide(ctx context.Context, caller access.Caller, action string, v inference.Version) (access.Decision, error) {
	p, err := a.policy.Policy()
	if err != nil {
		return access.Decision{}, err
	}
	who, err := a.authority.Resolve(ctx, access.Caller{Principal: caller.Principal, Purpose: caller.Purpose})
	if err != nil {
		return access.Decision{}, err
	}
	key := decisionKey{who.Principal, who.Purpose, v.String()}
	if d, holds := a.made(ctx, key, p, who); holds {
		return d, nil
	}
	select { // one at a time writes into the audit log
	case a.deciding <- struct{}{}:
		defer func() { <-a.deciding }()
	case <-ctx.Done():
		return access.Decision{}, context.Cause(ctx)
	}
	if d, holds := a.made(ctx, key, p, who); holds {
		return d, nil
	}
	lineage, err := a.origins(ctx, v)
	if err != nil {
		return access.Decision{}, err
	}
	clusters := p.Clusters(p.Restrictions(lineage))
	who = a.authority.ResolveIn(ctx, who, clusters)
	d, err := a.authority.AuthorizeBy(ctx, p, who, access.Request{Action: action, Right: access.Use, Lineage: lineage})
	if err != nil && !errors.Is(err, access.ErrDenied) {
		return d, err
	}
	if !d.Allowed {
		a.log.InfoContext(ctx, "refused", "action", action, "principal", who.Principal, "version", v, "reason", d.Reason)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.decisions) >= mostDecisions {
		clear(a.decisions)
	}
	a.decisions[key] = made{d, clusters, who.Memberships()}
	return d, nil
}

// origins returns what restricts a version. A folder that is served as it is comes
// from no data that is known here, and so nothing restricts it.
func (a *Admission) origins(ctx context.Context, v inference.Version) ([]access.Origin, error) {
	if v.Manifest == nil {
		return []access.Origin{{Version: v.String() + " (a folder)"}}, nil
	}
	return catalog.Origins(ctx, a.registry, v.Manifest)
}

// made is a decision that was made before and still holds.
func (a *Admission) made(ctx context.Context, key decisionKey, p *access.Policy, who access.Caller) (access.Decision, bool) {
	a.mu.RLock()
	d, made := a.decisions[key]
	a.mu.RUnlock()
	if !made || !d.Holds(p.Generation(), time.Now()) {
		return access.Decision{}, false
	}
	return d.Decision, a.authority.ResolveIn(ctx, who, d.clusters).Memberships() == d.memberships
}
