package catalog

import (
	"context"

	"tkit/access"
	"tkit/registry"
)

// ChangeProperties changes the description, the tags or the state of a version or of a
// model; see [registry.Registry.Change]. The caller needs the right to promote the
// version and, for a model, its newest version. The decision is recorded before the
// change.
func (c *Catalog) ChangeProperties(ctx context.Context, who access.Caller, change registry.PropertyChange) error {
	ref := registry.Ref{Model: change.Model, Version: change.Version}
	if ref.Version == 0 {
		var err error
		if ref, err = c.newest(ctx, change.Model); err != nil {
			return err
		}
	}
	if change.By.Actor == "" {
		change.By.Actor = who.Principal.Name()
	}
	if _, err := c.authorizeVersion(ctx, who, ref, "change", access.Promote); err != nil {
		return err
	}
	return c.registry.Change(ctx, change)
}

// newest returns the newest version of a model that is not deleted.
func (c *Catalog) newest(ctx context.Context, model string) (registry.Ref, error) {
	planned, err := c.registry.PlanRemoval(ctx, registry.Removal{Model: model, By: registry.Change{Actor: "tkit"}})
	if err != nil {
		return registry.Ref{}, err
	}
	return planned[len(planned)-1].Ref(), nil
}

// Properties returns what may change about a version, to callers who may use it, or about
// a model, whose version is 0, to every caller. The decision about a version is recorded.
func (c *Catalog) Properties(ctx context.Context, who access.Caller, model string, version int) (registry.Properties, error) {
	var err error
	if version == 0 {
		_, err = c.authority.Resolve(ctx, who)
	} else {
		_, err = c.authorizeVersion(ctx, who, registry.Ref{Model: model, Version: version}, "show", access.Use)
	}
	if err != nil {
		return registry.Properties{}, err
	}
	return c.registry.Properties(ctx, model, version)
}
