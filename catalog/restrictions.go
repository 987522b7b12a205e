package catalog

import (
	"context"

	"tkit/access"
	"tkit/registry"
)

// keptRestrictions are what restricts a version under one generation of the policy.
type keptRestrictions struct {
	generation int64
	by         []access.Object
}

// Restrictions returns the datasets and models that restrict a version, named as in
// "flowers@7", under the policy in force: each once, sorted, never nil. What is derived
// from the version, such as a prediction, is restricted by them too. It is for callers
// that may use the version. The error wraps ErrUnavailable where the policy cannot be
// read, and is for the log.
func (s *Serving) Restrictions(ctx context.Context, name string, m *registry.Manifest) ([]access.Object, error) {
	p, err := s.inForce()
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	kept, found := s.restrictions[name]
	s.mu.RUnlock()
	if found && kept.generation == p.Generation() {
		return kept.by, nil
	}
	origins, err := s.origins(ctx, name, m)
	if err != nil {
		return nil, err
	}
	kept = keptRestrictions{p.Generation(), append([]access.Object{}, p.Restrictions(origins)...)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.restrictions) >= maxDecisions {
		clear(s.restrictions)
	}
	s.restrictions[name] = kept
	return kept.by, nil
}
