package registry

import (
	"context"

	"tkit/internal/preprocessing"
)

// Pinning lists the versions, as MODEL@VERSION, whose preprocessing uses the plugin with
// a digest. Deleted versions are not among them.
func (r *Registry) Pinning(ctx context.Context, digest string) ([]string, error) {
	models, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	var refs []string
	for _, m := range models {
		versions, err := r.Versions(ctx, m.Name)
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			if v.Deleted == nil && pins(v.Manifest.Preprocessing, digest) {
				refs = append(refs, v.Manifest.Ref().String())
			}
		}
	}
	return refs, nil
}

func pins(p preprocessing.Preprocessing, digest string) bool {
	for _, plugin := range p.Plugins() {
		if plugin.Digest == digest {
			return true
		}
	}
	return false
}
