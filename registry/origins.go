package registry

import (
	"context"
	"fmt"

	"tkit/internal/access"
)

// Origins are what restricts a version: itself, then the registered versions
// that it was built on, down to the first. A version whose lineage cannot be
// followed to its end has an error and no origins: nobody can tell then who
// may have it.
func (r *Registry) Origins(ctx context.Context, m *Manifest) ([]access.Origin, error) {
	lineage := []access.Origin{m.origin()}
	met := map[Ref]bool{m.Ref(): true}
	for base := m.Lineage.Base; base != nil && base.Version != ""; {
		ref, err := ParseRef(base.Version)
		if err != nil {
			return nil, fmt.Errorf("the lineage of %s: %w", m.Ref(), err)
		}
		if ref.Version == 0 || met[ref] {
			return nil, fmt.Errorf("the lineage of %s: %w: it goes by way of %s", m.Ref(), ErrCorrupt, ref)
		}
		met[ref] = true
		b, err := r.Resolve(ctx, ref)
		if err != nil {
			return nil, fmt.Errorf("the lineage of %s: %w", m.Ref(), err)
		}
		lineage = append(lineage, b.origin())
		base = b.Lineage.Base
	}
	return lineage, nil
}

func (m *Manifest) origin() access.Origin {
	o := access.Origin{Version: m.Ref().String(), Model: access.Model(m.Model)}
	for _, s := range m.Lineage.Snapshots {
		o.Data = append(o.Data, access.Data{Datasets: s.Datasets, URI: s.URI, Digest: string(s.Digest)})
	}
	return o
}
