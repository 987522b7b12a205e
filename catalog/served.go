package catalog

import (
	"context"
	"iter"
	"time"

	"tkit/registry"
)

// Versions is what a server reads of the registry: which versions there are, and the
// files of those that it may load. Its methods may be called concurrently.
type Versions struct{ serving *Serving }

// List returns all models by name, with their aliases.
func (v Versions) List(ctx context.Context) ([]registry.Model, error) {
	return v.serving.catalog.registry.List(ctx)
}

// Resolve returns the manifest of the version that ref refers to now. What it says is
// for the server and not for clients.
func (v Versions) Resolve(ctx context.Context, ref registry.Ref) (*registry.Manifest, error) {
	return v.serving.catalog.registry.Resolve(ctx, ref)
}

// Files returns the files of a version if the server may load it; see
// [registry.Registry.Files] and [Serving.AuthorizeLoad].
func (v Versions) Files(ctx context.Context, ref registry.Ref, attachment string) (registry.Files, error) {
	f, err := v.serving.catalog.registry.Files(ctx, ref, attachment)
	if err != nil {
		return registry.Files{}, err
	}
	if err := v.serving.AuthorizeLoad(ctx, f.Manifest.Ref().String(), f.Manifest); err != nil {
		return registry.Files{}, err
	}
	return f, nil
}

// Generation returns the number of the last change; see [registry.Registry.Generation].
func (v Versions) Generation(ctx context.Context) (int64, error) {
	return v.serving.catalog.registry.Generation(ctx)
}

// Watch yields the changes after a generation; see [registry.Registry.Watch].
func (v Versions) Watch(ctx context.Context, since int64, every time.Duration) iter.Seq2[registry.Event, error] {
	return v.serving.catalog.registry.Watch(ctx, since, every)
}
