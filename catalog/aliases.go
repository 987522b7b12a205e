package catalog

import (
	"context"
	"slices"

	"tkit/access"
	"tkit/registry"
)

// Promote makes an alias name the version that ref refers to. The caller needs
// the right to promote both this version and the one that the alias names now.
// Both decisions are recorded. An empty alias means [registry.Production]; the
// default actor of the change is the caller.
func (c *Catalog) Promote(ctx context.Context, who access.Caller, ref registry.Ref, alias string, by registry.Change) (registry.Alias, error) {
	who, p, err := c.begin(ctx, who)
	if err != nil {
		return registry.Alias{}, err
	}
	m, err := c.registry.Resolve(ctx, ref)
	if err != nil {
		return registry.Alias{}, err
	}
	if alias == "" {
		alias = registry.Production
	}
	return c.moveAlias(ctx, p, who, registry.AliasMove{Action: registry.Promoted, Model: m.Model, Alias: alias, Version: m.Version, By: by})
}

// Rollback undoes the last promotion of an alias; see
// [registry.Registry.Rollback]. It requires the same rights as Promote.
func (c *Catalog) Rollback(ctx context.Context, who access.Caller, alias registry.Ref, by registry.Change) (registry.Alias, error) {
	return c.changeAlias(ctx, who, registry.RolledBack, alias, by)
}

// RemoveAlias removes an alias; its version stays. The caller needs the right to
// promote the version.
func (c *Catalog) RemoveAlias(ctx context.Context, who access.Caller, alias registry.Ref, by registry.Change) error {
	_, err := c.changeAlias(ctx, who, registry.AliasRemoved, alias, by)
	return err
}

// History returns the changes of a model and its aliases, the oldest first; those
// of all models if model is empty. Every caller may see them. Nothing is
// recorded.
func (c *Catalog) History(ctx context.Context, who access.Caller, model string) ([]registry.Event, error) {
	if _, err := c.authority.Resolve(ctx, who); err != nil {
		return nil, err
	}
	return c.registry.History(ctx, model)
}

// changeAlias moves an alias that a reference names.
func (c *Catalog) changeAlias(ctx context.Context, who access.Caller, action registry.Action, alias registry.Ref, by registry.Change) (registry.Alias, error) {
	who, p, err := c.begin(ctx, who)
	if err != nil {
		return registry.Alias{}, err
	}
	if err := alias.CheckAlias(); err != nil {
		return registry.Alias{}, err
	}
	return c.moveAlias(ctx, p, who, registry.AliasMove{Action: action, Model: alias.Model, Alias: alias.Alias, By: by})
}

// moveAlias moves an alias if the caller may promote both the version that it names
// and the one that it is to name. The decisions are recorded before the move. If
// the alias has moved in between, nothing changes.
func (c *Catalog) moveAlias(ctx context.Context, p *access.Policy, who access.Caller, m registry.AliasMove) (registry.Alias, error) {
	if m.By.Actor == "" {
		m.By.Actor = who.Principal.Name()
	}
	planned, err := c.registry.Plan(ctx, m)
	if err != nil {
		return registry.Alias{}, err
	}
	for _, version := range slices.Compact([]int{planned.From, planned.To}) {
		if version == 0 {
			continue
		}
		_, origins, err := c.version(ctx, registry.Ref{Model: m.Model, Version: version})
		if err != nil {
			return registry.Alias{}, err
		}
		r := access.Request{Action: string(m.Action), Right: access.PromoteTo(m.Alias), Lineage: origins}
		if _, err := c.authority.AuthorizeBy(ctx, p, who, r); err != nil {
			return registry.Alias{}, err
		}
	}
	m.Planned = &planned
	return c.registry.Move(ctx, m)
}
