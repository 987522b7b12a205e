package catalog

import (
	"context"

	"tkit/access"
	"tkit/internal/network"
	"tkit/registry"
)

// ListBases returns the stored bases by name. Every caller may see them. Nothing is
// recorded.
func (c *Catalog) ListBases(ctx context.Context, who access.Caller) ([]*registry.BaseManifest, error) {
	if _, err := c.authority.Resolve(ctx, who); err != nil {
		return nil, err
	}
	return c.registry.Bases(ctx)
}

// ShowBase returns the stored base with a name or digest. Every caller may see it.
// Nothing is recorded.
func (c *Catalog) ShowBase(ctx context.Context, who access.Caller, name string) (*registry.BaseManifest, error) {
	if _, err := c.authority.Resolve(ctx, who); err != nil {
		return nil, err
	}
	return c.registry.Base(ctx, name)
}

// OpenBase opens the network of a stored base. Its bytes have been checked against the
// digest. Every caller may use it, as BeginTraining does. Nothing is recorded. The
// caller closes it.
func (c *Catalog) OpenBase(ctx context.Context, who access.Caller, name string) (*registry.BaseManifest, *network.Network, error) {
	m, err := c.ShowBase(ctx, who, name)
	if err != nil {
		return nil, nil, err
	}
	n, err := c.storedNetwork(ctx, m)
	return m, n, err
}

func (c *Catalog) storedNetwork(ctx context.Context, m *registry.BaseManifest) (*network.Network, error) {
	path, err := c.registry.BlobPath(ctx, m.Network.Digest)
	if err != nil {
		return nil, err
	}
	return network.Open(path)
}

// ImportBase stores a base under a name, which read reads once the caller may. Only an
// administrator of the home may: a base has no rights of its own, and everybody who
// may train may build on it. It writes one record.
func (c *Catalog) ImportBase(ctx context.Context, who access.Caller, name string, read func(context.Context) (registry.NewBase, error)) (*registry.BaseManifest, error) {
	if err := c.authority.AuthorizeAdministrator(ctx, who, "import-base "+name); err != nil {
		return nil, err
	}
	n, err := read(ctx)
	if err != nil {
		return nil, err
	}
	n.Manifest.Name = name
	return c.registry.AddBase(ctx, n)
}

// RemoveBase removes a stored base. The versions trained on it stay as they are. Only
// an administrator of the home may. It writes one record.
func (c *Catalog) RemoveBase(ctx context.Context, who access.Caller, name string) (*registry.BaseManifest, error) {
	if err := c.authority.AuthorizeAdministrator(ctx, who, "remove-base "+name); err != nil {
		return nil, err
	}
	return c.registry.RemoveBase(ctx, name)
}
