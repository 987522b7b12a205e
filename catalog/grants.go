package catalog

import (
	"context"
	"fmt"
	"time"

	"tkit/access"
	"tkit/registry"
)

// Grants are the owner and the grants of an object.
type Grants struct {
	Owner  access.Principal
	Grants []access.Grant // the oldest first, also those that have expired
}

// ShowGrants returns the grants on a dataset or model. Those on a dataset are for
// callers who may list it; those on a model are for every caller, and nothing is
// recorded.
func (c *Catalog) ShowGrants(ctx context.Context, who access.Caller, object access.Object) (Grants, error) {
	who, p, err := c.begin(ctx, who)
	if err != nil {
		return Grants{}, err
	}
	if err := checkObject(object); err != nil {
		return Grants{}, err
	}
	owner, err := p.RequireOwner(object)
	if err != nil {
		return Grants{}, err
	}
	if object.Kind() == access.DatasetKind {
		if _, err := c.authority.AuthorizeBy(ctx, p, who, access.Request{Action: "show-acl", Right: access.List, Object: object}); err != nil {
			return Grants{}, err
		}
	}
	return Grants{owner, append([]access.Grant{}, p.Grants(object)...)}, nil
}

// checkObject refuses an invalid name of a model.
func checkObject(object access.Object) error {
	if object.Kind() == access.ModelKind {
		return registry.CheckModelName(object.Name())
	}
	return nil
}

// GrantOptions are the grants to add: one for each right.
type GrantOptions struct {
	Object    access.Object
	Effect    access.Effect
	Principal access.Principal
	Rights    []access.Right
	Purpose   string    // the only one that the grants are for; "" means all
	Expires   time.Time // zero means never
	Reason    string
}

// AddGrants allows or denies a principal rights on an object. A caller with the
// right to grant may do this; only the owner may grant that right. Each right is
// decided and recorded separately. If one fails, AddGrants returns those that
// were added before.
func (c *Catalog) AddGrants(ctx context.Context, who access.Caller, o GrantOptions) ([]access.Grant, error) {
	who, err := c.authority.Resolve(ctx, who)
	if err != nil {
		return nil, err
	}
	if err := checkObject(o.Object); err != nil {
		return nil, err
	}
	if len(o.Rights) == 0 {
		return nil, fmt.Errorf("%w: no right to %s", access.ErrInvalid, o.Effect)
	}
	added := make([]access.Grant, 0, len(o.Rights))
	for _, right := range o.Rights {
		g, err := c.authority.AddGrant(ctx, who, access.Grant{
			Object: o.Object, Effect: o.Effect, Principal: o.Principal, Right: right,
			Purpose: o.Purpose, Expires: o.Expires, Reason: o.Reason,
		})
		if err != nil {
			return added, err
		}
		added = append(added, g)
	}
	return added, nil
}

// RevokeGrant revokes a grant on an object by its number. A caller with the right
// to grant may do this.
func (c *Catalog) RevokeGrant(ctx context.Context, who access.Caller, object access.Object, id int64) error {
	who, err := c.authority.Resolve(ctx, who)
	if err != nil {
		return err
	}
	return c.authority.RevokeGrant(ctx, who, object, id)
}

// SetOwner gives an object another owner. The owner and administrators may do
// this.
func (c *Catalog) SetOwner(ctx context.Context, who access.Caller, object access.Object, owner access.Principal) error {
	who, err := c.authority.Resolve(ctx, who)
	if err != nil {
		return err
	}
	return c.authority.SetOwner(ctx, who, object, owner)
}

// ProtectModel gives a model its own policy, in addition to those of its data,
// and returns its owner. An administrator may do this, and a caller who may
// promote all its versions. An empty owner means the caller.
func (c *Catalog) ProtectModel(ctx context.Context, who access.Caller, model string, owner access.Principal) (access.Principal, error) {
	who, err := c.authority.Resolve(ctx, who)
	if err != nil {
		return "", err
	}
	versions, err := c.registry.Versions(ctx, model)
	if err != nil {
		return "", err
	}
	lineages, err := c.lineages(ctx, versions)
	if err != nil {
		return "", err
	}
	if owner == "" {
		owner = who.Principal
	}
	return owner, c.authority.ProtectModel(ctx, who, model, owner, lineages)
}

// DeclassifyOptions describe a declassification.
type DeclassifyOptions struct {
	Version registry.Ref
	Dataset string // a registered dataset in the version's lineage
	Right   access.Right
	Expires time.Time
	Reason  string
}

// Declassify lifts a dataset's restriction from a version, for one right and a
// limited time. Only the dataset's owner may do this.
func (c *Catalog) Declassify(ctx context.Context, who access.Caller, o DeclassifyOptions) (access.Declassification, error) {
	who, err := c.authority.Resolve(ctx, who)
	if err != nil {
		return access.Declassification{}, err
	}
	m, origins, err := c.version(ctx, o.Version)
	if err != nil {
		return access.Declassification{}, err
	}
	return c.authority.Declassify(ctx, who, access.Declassification{
		Version: m.Ref().String(), Dataset: access.Dataset(o.Dataset), Right: o.Right, Expires: o.Expires, Reason: o.Reason,
	}, origins)
}

// Reclassify revokes a declassification by its number. The dataset's owner may
// do this, and a caller with the right to grant on it.
func (c *Catalog) Reclassify(ctx context.Context, who access.Caller, id int64) error {
	who, err := c.authority.Resolve(ctx, who)
	if err != nil {
		return err
	}
	return c.authority.Reclassify(ctx, who, id)
}
