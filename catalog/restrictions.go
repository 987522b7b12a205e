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

// DerivedFolder returns the folder for data of a name, such as "bottlenecks", that the
// trunk of a version derives from images of some places: it is that of a training on
// these images with the version's base, or with the version itself if it has no base.
// It follows from the policy in force. A place is a path or URI; images without a place
// may come from any dataset whose place is unknown. The error wraps ErrUnavailable where
// the policy cannot be read.
func (s *Serving) DerivedFolder(ctx context.Context, name string, m *registry.Manifest, places []string) (string, error) {
	p, err := s.inForce()
	if err != nil {
		return "", err
	}
	behind, err := s.catalog.origins(ctx, m)
	if err != nil {
		return "", err
	}
	if m.Lineage.Base != nil {
		behind = behind[1:] // the version's own data has trained its head only
	}
	images := make([]access.Data, max(1, len(places)))
	for i, place := range places {
		if images[i].URI, _, err = access.Locate(place); err != nil {
			return "", err
		}
	}
	return s.catalog.derivedFolder(p.Domain(append([]access.Origin{{Data: images}}, behind...)), name), nil
}
