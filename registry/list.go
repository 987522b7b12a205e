package registry

import (
	"context"
	"fmt"
	"time"

	"tkit/registry/metadata"
)

// A Model is a name with versions.
type Model struct {
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Versions int       `json:"versions"`
	Latest   int       `json:"latest"`
	Aliases  []Alias   `json:"aliases"`
}

// Refs returns everything that may refer to the model: its name, its aliases, and
// its versions, the newest first.
func (m Model) Refs() []string {
	refs := []string{m.Name}
	for _, a := range m.AliasNames() {
		refs = append(refs, Ref{Model: m.Name, Alias: a}.String())
	}
	for v := m.Latest; v > 0; v-- {
		refs = append(refs, Ref{Model: m.Name, Version: v}.String())
	}
	return refs
}

// AliasNames returns the names of the model's aliases.
func (m Model) AliasNames() []string {
	names := make([]string, len(m.Aliases))
	for i, a := range m.Aliases {
		names[i] = a.Name
	}
	return names
}

// A Version is one version of a model.
type Version struct {
	Manifest *Manifest `json:"manifest"`
	// Digest is that of the manifest, which contains the digests of all parts.
	Digest Digest `json:"digest"`
	// Aliases are the aliases that name the version now.
	Aliases []string `json:"aliases"`
}

// List returns all models by name, with their aliases.
func (r *Registry) List(ctx context.Context) ([]Model, error) {
	models := []Model{}
	err := r.metadata.View(ctx, func(rows metadata.Reader) error {
		found, err := rows.Models()
		if err != nil {
			return err
		}
		aliases, err := rows.Aliases("")
		if err != nil {
			return err
		}
		at := make(map[string]int, len(found))
		for i, m := range found {
			at[m.Name] = i
			models = append(models, Model{m.Name, m.Created, m.Versions, m.Latest, []Alias{}})
		}
		for _, a := range aliases {
			m := &models[at[a.Model]]
			m.Aliases = append(m.Aliases, a)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("registry: listing the models: %w", err)
	}
	return models, nil
}

// Versions returns all versions of a model, the oldest first.
func (r *Registry) Versions(ctx context.Context, model string) ([]Version, error) {
	var versions []Version
	err := r.metadata.View(ctx, func(rows metadata.Reader) error {
		found, err := rows.Versions(model)
		if err != nil {
			return err
		}
		aliases, err := rows.Aliases(model)
		if err != nil {
			return err
		}
		for _, f := range found {
			v, err := r.described(rows, f, aliases)
			if err != nil {
				return err
			}
			versions = append(versions, v)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the versions of %s: %w", model, err)
	}
	if len(versions) == 0 {
		return nil, r.notFound(ctx, Ref{Model: model, Alias: Production})
	}
	return versions, nil
}

// Version returns the version that ref refers to now. Unlike Resolve, it also
// reads the aliases.
func (r *Registry) Version(ctx context.Context, ref Ref) (v Version, err error) {
	m, err := r.Resolve(ctx, ref)
	if err != nil {
		return Version{}, err
	}
	err = r.metadata.View(ctx, func(rows metadata.Reader) error {
		found, _, err := rows.Version(m.Model, m.Version)
		if err != nil {
			return err
		}
		aliases, err := rows.Aliases(m.Model)
		if err != nil {
			return err
		}
		v, err = r.described(rows, found, aliases)
		return err
	})
	if err != nil {
		return Version{}, fmt.Errorf("reading %s: %w", ref, err)
	}
	return v, nil
}

// described is a version with its manifest and those of the aliases that name it.
func (r *Registry) described(rows metadata.Reader, found metadata.Version, aliases []Alias) (Version, error) {
	m, err := r.manifest(rows, found)
	if err != nil {
		return Version{}, err
	}
	v := Version{Manifest: m, Digest: found.Digest, Aliases: []string{}}
	for _, a := range aliases {
		if a.Version == found.Number {
			v.Aliases = append(v.Aliases, a.Name)
		}
	}
	return v, nil
}

// now is the current time in the precision of the metadata.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
