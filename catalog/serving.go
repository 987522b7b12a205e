package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tkit/access"
	"tkit/registry"
)

// ErrUnavailable is the error of a decision that cannot be made now, or of a
// version that this server may not load. Its text may be sent to clients.
var ErrUnavailable = errors.New("unavailable")

// Serving authenticates the requests of a server and decides which versions their
// callers may use. Its methods may be called concurrently.
//
// A decision is made and recorded once for each caller, version and generation of
// the policy. It is cached for later requests until the policy or the caller's
// groups change or something expires.
type Serving struct {
	catalog   *Catalog
	policy    *access.Follower
	server    access.Caller
	anonymous access.Caller
	log       *slog.Logger
	stop      context.CancelFunc
	following sync.WaitGroup

	mu           sync.RWMutex
	decisions    map[decisionKey]keptDecision
	restrictions map[string]keptRestrictions // by version

	recording chan struct{} // is held while the audit log is written
}

type decisionKey struct {
	principal access.Principal
	purpose   string
	version   string
}

// keptDecision is a cached decision with the groups on which it is based.
type keptDecision struct {
	access.Decision
	clusters    []string // clusters whose groups may affect the decision
	memberships string
}

// maxDecisions is the maximum number of cached decisions, and of versions whose
// restrictions are cached. When it is reached, all are dropped.
const maxDecisions = 10_000

// ServingOptions configure how requests are decided.
type ServingOptions struct {
	// Server is the account that loads the versions. Like the callers, it must
	// have the right to use them.
	Server access.Caller
	// Anonymous is the caller of requests without a token. If it is the zero
	// Caller, they are refused.
	Anonymous access.Caller
	// Every is the interval between checks of the policy.
	Every time.Duration
	Log   *slog.Logger
}

// Serve begins to follow the policy for a server. The caller closes it after the
// last request, before the catalog.
func (c *Catalog) Serve(ctx context.Context, o ServingOptions) (*Serving, error) {
	if _, err := c.authority.Resolve(ctx, o.Server); err != nil {
		return nil, err // now, not at every request
	}
	policy, err := c.authority.Follow(ctx, o.Every)
	if err != nil {
		return nil, err
	}
	s := &Serving{
		catalog: c, policy: policy, server: o.Server, anonymous: o.Anonymous, log: o.Log,
		decisions: make(map[decisionKey]keptDecision), restrictions: make(map[string]keptRestrictions),
		recording: make(chan struct{}, 1),
	}
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.following.Go(func() { policy.Run(following, o.Log) })
	return s, nil
}

// Close stops following the policy.
func (s *Serving) Close() {
	s.stop()
	s.following.Wait()
}

// Versions returns what a server reads of the registry.
func (s *Serving) Versions() Versions { return Versions{s} }

// Ready returns why not every request can be decided now: the policy cannot be read. It is
// nil if requests can be decided. The error wraps ErrUnavailable and is for the
// log. While the database cannot be reached, callers whose requests were decided
// before still get answers.
func (s *Serving) Ready() error {
	if err := s.policy.Recent(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// inForce returns the policy in force.
func (s *Serving) inForce() (*access.Policy, error) {
	p, err := s.policy.Policy()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return p, nil
}

// Authenticate finds the caller of a request by its Authorization header. The error
// wraps access.ErrUnauthenticated, or ErrUnavailable where the policy cannot be
// read.
func (s *Serving) Authenticate(header string) (access.Caller, error) {
	if header == "" && s.anonymous.Principal != "" {
		return s.anonymous, nil
	}
	p, err := s.inForce()
	if err != nil {
		return access.Caller{}, err
	}
	return access.Authenticate(p, header, time.Now())
}

// AuthorizeUse decides whether a caller may use a version, named as in "flowers@7", and whether this
// server may have it loaded. A version without a manifest does not come from the registry and is not
// restricted. The error wraps access.ErrDenied, access.ErrUnauthenticated or ErrUnavailable and may
// be sent to clients. The reason of a refusal is only logged, because not every client may know a
// model's lineage.
func (s *Serving) AuthorizeUse(ctx context.Context, who access.Caller, name string, m *registry.Manifest) error {
	d, err := s.decide(ctx, who, "serve", name, m)
	switch {
	case errors.Is(err, access.ErrUnauthenticated):
		return err
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		s.log.ErrorContext(ctx, "cannot decide who may use a version", "version", name, "principal", who.Principal, "error", err)
		return fmt.Errorf("%w: cannot decide now who may use %s", ErrUnavailable, name)
	case !d.Allowed:
		return fmt.Errorf("%w: %s may not use %s", access.ErrDenied, who.Principal, name)
	}
	return s.AuthorizeLoad(ctx, name, m)
}

// AuthorizeLoad decides whether this server may load a version. The error wraps
// ErrUnavailable and may be sent to clients.
func (s *Serving) AuthorizeLoad(ctx context.Context, name string, m *registry.Manifest) error {
	d, err := s.decide(ctx, s.server, "load", name, m)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		s.log.ErrorContext(ctx, "cannot decide whether this server may load a version", "version", name, "error", err)
		return fmt.Errorf("%w: cannot decide now whether %s may be served here", ErrUnavailable, name)
	case !d.Allowed:
		return fmt.Errorf("%w: %s may not be served here: the account that runs the server has no right to use it", ErrUnavailable, name)
	}
	return nil
}

// decide decides whether a caller may use a version. The action is for the record.
func (s *Serving) decide(ctx context.Context, who access.Caller, action, name string, m *registry.Manifest) (access.Decision, error) {
	p, err := s.inForce()
	if err != nil {
		return access.Decision{}, err
	}
	authority := s.catalog.authority
	if who, err = authority.Resolve(ctx, who); err != nil {
		return access.Decision{}, err
	}
	key := decisionKey{who.Principal, who.Purpose, name}
	if d, holds := s.kept(ctx, key, p, who); holds {
		return d, nil
	}
	select { // one request at a time writes the audit log
	case s.recording <- struct{}{}:
		defer func() { <-s.recording }()
	case <-ctx.Done():
		return access.Decision{}, context.Cause(ctx)
	}
	if d, holds := s.kept(ctx, key, p, who); holds {
		return d, nil
	}
	origins, err := s.origins(ctx, name, m)
	if err != nil {
		return access.Decision{}, err
	}
	clusters := p.Clusters(p.Restrictions(origins))
	who = authority.ResolveIn(ctx, who, clusters)
	d, err := authority.AuthorizeBy(ctx, p, who, access.Request{Action: action, Right: access.Use, Lineage: origins})
	if err != nil && !errors.Is(err, access.ErrDenied) {
		return d, err
	}
	if !d.Allowed {
		s.log.InfoContext(ctx, "refused", "action", action, "principal", who.Principal, "version", name, "reason", d.Reason)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.decisions) >= maxDecisions {
		clear(s.decisions)
	}
	s.decisions[key] = keptDecision{d, clusters, who.Memberships()}
	return d, nil
}

// origins returns what restricts a version.
func (s *Serving) origins(ctx context.Context, name string, m *registry.Manifest) ([]access.Origin, error) {
	if m == nil {
		return []access.Origin{{Version: name + " (not of the registry)"}}, nil
	}
	return s.catalog.origins(ctx, m)
}

// kept returns a cached decision that is still valid.
func (s *Serving) kept(ctx context.Context, key decisionKey, p *access.Policy, who access.Caller) (access.Decision, bool) {
	s.mu.RLock()
	d, found := s.decisions[key]
	s.mu.RUnlock()
	if !found || !d.Holds(p.Generation(), time.Now()) {
		return access.Decision{}, false
	}
	return d.Decision, s.catalog.authority.ResolveIn(ctx, who, d.clusters).Memberships() == d.memberships
}
