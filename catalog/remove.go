package catalog

import (
	"context"

	"tkit/access"
	"tkit/registry"
)

// RemoveVersions deletes a version or, if ref names only a model, all versions of the
// model; see [registry.Registry.Remove]. It returns their references. The caller needs
// the right to grant on everything that restricts them: a deletion is final. The
// decisions are recorded before. The default actor of the change is the caller.
//
// A server that serves a deleted version drops it. The model's own policy stays in force.
func (c *Catalog) RemoveVersions(ctx context.Context, who access.Caller, ref registry.Ref, by registry.Change) ([]string, error) {
	who, p, err := c.begin(ctx, who)
	if err != nil {
		return nil, err
	}
	if by.Actor == "" {
		by.Actor = who.Principal.Name()
	}
	m := registry.Removal{Model: ref.Model, Version: ref.Version, By: by}
	versions, err := c.registry.PlanRemoval(ctx, m)
	if err != nil {
		return nil, err
	}
	removed := make([]string, len(versions))
	for i, v := range versions {
		origins, err := c.origins(ctx, v)
		if err != nil {
			return nil, err
		}
		if _, err := c.authority.AuthorizeBy(ctx, p, who, access.Request{Action: "remove", Right: access.Administer, Lineage: origins}); err != nil {
			return nil, err
		}
		m.Planned = append(m.Planned, v.Version)
		removed[i] = v.Ref().String()
	}
	if _, err := c.registry.Remove(ctx, m); err != nil {
		return nil, err
	}
	return removed, nil
}

// RemoveDataset ends the registration of a dataset: its data is then restricted by the
// permissions of its files only. Its owner and administrators may do this. It is refused
// with [access.ErrInUse] while the dataset restricts a version, because the restriction
// would be lost. The reason is recorded, and may be empty.
func (c *Catalog) RemoveDataset(ctx context.Context, who access.Caller, name, reason string) error {
	who, err := c.authority.Resolve(ctx, who)
	if err != nil {
		return err
	}
	lineages, err := c.allLineages(ctx)
	if err != nil {
		return err
	}
	return c.authority.RemoveDataset(ctx, who, name, reason, lineages)
}

// allLineages returns the origins of all versions that are not deleted.
func (c *Catalog) allLineages(ctx context.Context) (all [][]access.Origin, err error) {
	models, err := c.registry.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range models {
		versions, err := c.registry.Versions(ctx, m.Name)
		if err != nil {
			return nil, err
		}
		lineages, err := c.lineages(ctx, undeleted(versions))
		if err != nil {
			return nil, err
		}
		all = append(all, lineages...)
	}
	return all, nil
}
