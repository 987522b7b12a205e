package inference

import (
	"context"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"time"

	"tkit/registry"
)

// A Registry is what a RegistrySource reads: a [registry.Registry], or what a caller
// may read of one.
type Registry interface {
	List(ctx context.Context) ([]registry.Model, error)
	Resolve(ctx context.Context, ref registry.Ref) (*registry.Manifest, error)
	Files(ctx context.Context, ref registry.Ref, attachment string) (registry.Files, error)
	Generation(ctx context.Context) (int64, error)
	Watch(ctx context.Context, since int64, every time.Duration) iter.Seq2[registry.Event, error]
}

// RegistrySource follows a model registry.
type RegistrySource struct {
	// Registry is followed. Other processes may change it.
	Registry Registry
	// Wanted are the aliases and versions to serve. If empty, the production
	// version of every model is served.
	Wanted []registry.Ref
	// Every is how often to look for changes.
	Every time.Duration
	Log   *slog.Logger
}

var _ Source = (*RegistrySource)(nil)

// Check returns an error that names the wanted aliases and versions that the
// registry does not have.
func (s *RegistrySource) Check(ctx context.Context) error {
	for _, ref := range s.Wanted {
		if _, err := s.Registry.Resolve(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

// Aspirations reads the aliases. A wanted alias or version that does not exist
// is left out until it does.
func (s *RegistrySource) Aspirations(ctx context.Context) ([]Aspiration, error) {
	models, err := s.Registry.List(ctx)
	if err != nil {
		return nil, err
	}
	var all []Aspiration
	for _, m := range models {
		if a := aspire(m, s.Wanted); len(a.Versions) > 0 {
			all = append(all, a)
		}
	}
	return all, nil
}

// aspire returns the versions and labels of a model that are to be served.
func aspire(m registry.Model, wanted []registry.Ref) Aspiration {
	if len(wanted) == 0 {
		wanted = []registry.Ref{{Model: m.Name, Alias: registry.Production}}
	}
	a := Aspiration{Model: m.Name, Labels: map[string]int{}}
	versions := map[int]bool{}
	for _, ref := range wanted {
		if ref.Model != m.Name {
			continue
		}
		if m.Has(ref.Version) {
			versions[ref.Version] = true
		}
		for _, alias := range m.Aliases {
			if ref.Version == 0 && alias.Name == ref.Alias {
				versions[alias.Version] = true
				a.Labels[alias.Name] = alias.Version
			}
		}
	}
	a.Versions = slices.Sorted(maps.Keys(versions))
	return a
}

// Changes looks for new events in the registry's history.
func (s *RegistrySource) Changes(ctx context.Context) <-chan struct{} {
	changes := make(chan struct{}, 1)
	since, err := s.Registry.Generation(ctx)
	if err != nil {
		// Start from the beginning: an unnecessary check is better than a missed
		// change.
		s.Log.WarnContext(ctx, "cannot read the registry", "error", err)
	}
	go func() {
		for _, err := range s.Registry.Watch(ctx, since, s.Every) {
			if err != nil {
				s.Log.WarnContext(ctx, "cannot look for changes in the registry", "error", err)
				continue
			}
			select {
			case changes <- struct{}{}:
			default:
			}
		}
	}()
	return changes
}

// Parts reads the manifest and finds the files.
func (s *RegistrySource) Parts(ctx context.Context, model string, version int) (Parts, error) {
	f, err := s.Registry.Files(ctx, registry.Ref{Model: model, Version: version}, SampleAttachment)
	return PartsOf(f), err
}

// PartsOf returns the parts of a registered version, with the attachment
// SampleAttachment.
func PartsOf(f registry.Files) Parts {
	return Parts{Manifest: f.Manifest, TrunkPath: f.Trunk, HeadPath: f.Head, SamplePath: f.Attachment}
}
