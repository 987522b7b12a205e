package catalog

import (
	"context"
	"slices"
	"time"

	"tkit/access"
	"tkit/registry"
)

// Bind makes an application get an alias or a version of a model, or the default version
// again; see [registry.Registry.Bind]. The caller needs the right to promote both the
// version that the application gets now and the one that it is to get. The decisions are
// recorded before the change. If the application gets another version in between,
// nothing changes.
func (c *Catalog) Bind(ctx context.Context, who access.Caller, b registry.BindingChange) (registry.Binding, error) {
	who, p, err := c.begin(ctx, who)
	if err != nil {
		return registry.Binding{}, err
	}
	if b.By.Actor == "" {
		b.By.Actor = who.Principal.Name()
	}
	planned, err := c.registry.PlanBinding(ctx, b)
	if err != nil {
		return registry.Binding{}, err
	}
	action := "bind"
	if b.To == (registry.Choice{}) {
		action = "unbind"
	}
	for _, version := range slices.Compact([]int{planned.From, planned.To}) {
		if version == 0 {
			continue
		}
		_, origins, err := c.version(ctx, registry.Ref{Model: b.Model, Version: version})
		if err != nil {
			return registry.Binding{}, err
		}
		r := access.Request{Action: action, Right: access.Promote, Lineage: origins}
		if _, err := c.authority.AuthorizeBy(ctx, p, who, r); err != nil {
			return registry.Binding{}, err
		}
	}
	b.Planned = &planned
	return c.registry.Bind(ctx, b)
}

// Bindings returns the bindings of an application, or of all if it is "", to a model, or
// to all models if that is "". Every caller may see them. Nothing is recorded.
func (c *Catalog) Bindings(ctx context.Context, who access.Caller, application, model string) ([]registry.Binding, error) {
	if _, err := c.authority.Resolve(ctx, who); err != nil {
		return nil, err
	}
	return c.registry.Bindings(ctx, application, model)
}

// AssignmentsAt returns what a model's aliases named, and its applications were bound to, at a
// time. Every caller may see it. Nothing is recorded.
func (c *Catalog) AssignmentsAt(ctx context.Context, who access.Caller, model string, at time.Time) (registry.Assignments, error) {
	if _, err := c.authority.Resolve(ctx, who); err != nil {
		return registry.Assignments{}, err
	}
	return c.registry.At(ctx, model, at)
}
