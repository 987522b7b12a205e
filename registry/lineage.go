package registry

import (
	"context"
	"fmt"
)

// Lineage returns a version followed by the registered versions that it was built on,
// down to the first; those that were deleted since are in it, too. The error wraps
// ErrCorrupt or ErrNotFound if the lineage cannot be followed to its end, so that it is
// unknown which data the version was trained on.
func (r *Registry) Lineage(ctx context.Context, m *Manifest) ([]*Manifest, error) {
	lineage := []*Manifest{m}
	seen := map[Ref]bool{m.Ref(): true}
	for base := m.Lineage.Base; base != nil && base.Version != ""; {
		ref, err := ParseRef(base.Version)
		if err != nil {
			return nil, fmt.Errorf("the lineage of %s: %w", m.Ref(), err)
		}
		if ref.Version == 0 || seen[ref] {
			return nil, fmt.Errorf("the lineage of %s: %w: it refers to %s", m.Ref(), ErrCorrupt, ref)
		}
		seen[ref] = true
		b, err := r.Registered(ctx, ref)
		if err != nil {
			return nil, fmt.Errorf("the lineage of %s: %w", m.Ref(), err)
		}
		lineage = append(lineage, b)
		base = b.Lineage.Base
	}
	return lineage, nil
}
