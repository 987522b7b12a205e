package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tkit/registry/metadata"
)

// A Model is a name with versions.
type Model struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	// Versions is how many versions there are, and Latest the highest number of one;
	// both are 0 if all were deleted.
	Versions int     `json:"versions"`
	Latest   int     `json:"latest"`
	Aliases  []Alias `json:"aliases"`
	// Deleted are the numbers of the deleted versions.
	Deleted []int `json:"deleted"`
}

// Has reports whether the model has a version that is not deleted.
func (m Model) Has(version int) bool {
	return version > 0 && version <= m.Latest && !slices.Contains(m.Deleted, version)
}

// Refs returns everything that may refer to the model: its name, its aliases, and
// its versions that are not deleted, the newest first.
func (m Model) Refs() []string {
	refs := m.VersionRefs()
	for i, a := range m.AliasNames() {
		refs = slices.Insert(refs, 1+i, Ref{Model: m.Name, Alias: a}.String())
	}
	return refs
}

// VersionRefs is Refs without the aliases.
func (m Model) VersionRefs() []string {
	refs := []string{m.Name}
	for v := m.Latest; v > 0; v-- {
		if m.Has(v) {
			refs = append(refs, Ref{Model: m.Name, Version: v}.String())
		}
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
	// Deleted is set if the version was deleted.
	Deleted *Deletion `json:"deleted,omitempty"`
}

// A Deletion says when a version was deleted, by whom and why.
type Deletion struct {
	At time.Time `json:"at"`
	Change
}

// List returns all models by name, with their aliases; those without a version left,
// too.
func (r *Registry) List(ctx context.Context) (models []Model, err error) {
	err = r.metadata.View(ctx, func(rows metadata.Reader) (err error) {
		models, err = list(rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("registry: listing the models: %w", err)
	}
	return models, nil
}

func list(rows metadata.Reader) ([]Model, error) {
	models := []Model{}
	found, err := rows.Models()
	if err != nil {
		return nil, err
	}
	aliases, err := rows.Aliases("")
	if err != nil {
		return nil, err
	}
	deletions, err := rows.Deletions("")
	if err != nil {
		return nil, err
	}
	at := make(map[string]int, len(found))
	for i, m := range found {
		at[m.Name] = i
		models = append(models, Model{Name: m.Name, Created: m.Created, Versions: m.Versions, Latest: m.Latest, Aliases: []Alias{}, Deleted: []int{}})
	}
	for _, a := range aliases {
		m := &models[at[a.Model]]
		m.Aliases = append(m.Aliases, a)
	}
	for _, d := range deletions {
		m := &models[at[d.Model]]
		m.Deleted = append(m.Deleted, d.Number)
		m.Versions--
	}
	for i := range models {
		for m := &models[i]; slices.Contains(m.Deleted, m.Latest); {
			m.Latest--
		}
	}
	return models, nil
}

// Versions returns all versions of a model, the oldest first, with the deleted ones.
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
		return markDeleted(rows, versions, model)
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

// markDeleted sets what is known about the deletions of a model's versions.
func markDeleted(rows metadata.Reader, versions []Version, model string) error {
	deletions, err := rows.Deletions(model)
	if err != nil {
		return err
	}
	by := make(map[int]*Deletion, len(deletions))
	for _, d := range deletions {
		by[d.Number] = &Deletion{d.At, d.Change}
	}
	for i := range versions {
		versions[i].Deleted = by[versions[i].Manifest.Version]
	}
	return nil
}

// now is the current time in the precision of the metadata.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
