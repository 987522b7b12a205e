package catalog

import (
	"context"

	"tkit/access"
	"tkit/registry"
)

// Origins returns what restricts a version: itself, then the registered
// versions that it was built on. A version whose lineage cannot be followed to
// its end has an error and no origins.
func Origins(ctx context.Context, r *registry.Registry, m *registry.Manifest) ([]access.Origin, error) {
	lineage, err := r.Lineage(ctx, m)
	if err != nil {
		return nil, err
	}
	origins := make([]access.Origin, len(lineage))
	for i, v := range lineage {
		origins[i] = originOf(v)
	}
	return origins, nil
}

func originOf(m *registry.Manifest) access.Origin {
	o := access.Origin{Version: m.Ref().String(), Model: access.Model(m.Model)}
	for _, s := range m.Lineage.Snapshots {
		o.Data = append(o.Data, access.Data{Datasets: s.Datasets, URI: s.URI, Digest: string(s.Digest)})
	}
	return o
}
