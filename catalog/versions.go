package catalog

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"tkit/access"
	"tkit/internal/preprocessing"
	"tkit/registry"
	"tkit/registry/export"
)

// ListModels returns all models by name, with their aliases. Every caller may
// see them. Nothing is recorded.
func (c *Catalog) ListModels(ctx context.Context, who access.Caller) ([]registry.Model, error) {
	if _, err := c.authority.Resolve(ctx, who); err != nil {
		return nil, err
	}
	return c.registry.List(ctx)
}

// ListVersions returns all versions of a model, the oldest first. For a version
// that the caller may not use, it returns only its number, time and aliases; for
// a deleted version, which nobody may use, its number, time and deletion. It
// writes one record of the versions that the caller may use, and one of the
// others.
func (c *Catalog) ListVersions(ctx context.Context, who access.Caller, model string) ([]registry.Version, error) {
	who, p, err := c.begin(ctx, who)
	if err != nil {
		return nil, err
	}
	versions, err := c.registry.Versions(ctx, model)
	if err != nil {
		return nil, err
	}
	kept := undeleted(versions)
	lineages, err := c.lineages(ctx, kept)
	if err != nil {
		return nil, err
	}
	usable, err := c.authority.UsableVersions(ctx, p, who, lineages)
	if err != nil {
		return nil, err
	}
	for i, next := 0, 0; i < len(versions); i++ {
		description := "deleted"
		if versions[i].Deleted == nil {
			if next++; usable[next-1] {
				continue
			}
			description = "no right to use"
		}
		versions[i].Manifest = withheld(versions[i].Manifest, description)
	}
	return versions, nil
}

// withheld returns what everybody may know of a manifest.
func withheld(m *registry.Manifest, description string) *registry.Manifest {
	return &registry.Manifest{
		Model: m.Model, Version: m.Version, Created: m.Created, Description: description, Labels: []string{},
		Preprocessing: preprocessing.Preprocessing{Steps: []preprocessing.Step{}},
		Signature:     registry.Signature{Inputs: []registry.TensorSpec{}, Outputs: []registry.TensorSpec{}},
	}
}

// ShowVersion returns everything about a version, to callers who may use it,
// because its accuracy and lineage reveal information about its data.
func (c *Catalog) ShowVersion(ctx context.Context, who access.Caller, ref registry.Ref) (registry.Version, error) {
	a, err := c.authorizeVersion(ctx, who, ref, "show", access.Use)
	if err != nil {
		return registry.Version{}, err
	}
	return c.registry.Version(ctx, a.manifest.Ref())
}

// Attachment opens an attachment of a version, for callers who may download the
// version. The caller closes it. Reading checks the bytes; see
// [registry.Registry.OpenBlob].
func (c *Catalog) Attachment(ctx context.Context, who access.Caller, ref registry.Ref, name string) (io.ReadCloser, error) {
	a, err := c.authorizeVersion(ctx, who, ref, "show "+name, access.Download)
	if err != nil {
		return nil, err
	}
	part, ok := a.manifest.Attachments[name]
	if !ok {
		return nil, fmt.Errorf("%s has no attachment %q: %w; it has %s", a.manifest.Ref(), name, registry.ErrNotFound,
			strings.Join(slices.Sorted(maps.Keys(a.manifest.Attachments)), ", "))
	}
	return c.registry.OpenBlob(ctx, part.Digest)
}

// ExportOptions configure an export.
type ExportOptions struct {
	// Folder must not exist or be empty.
	Folder string
	// Preprocessing adds the version's own preprocessing; see [export.Options].
	Preprocessing bool
}

// Export writes a version into a folder as one complete SavedModel, for callers
// who may download it. The folder of a restricted version is private to the
// account that writes it.
func (c *Catalog) Export(ctx context.Context, who access.Caller, ref registry.Ref, o ExportOptions) (*registry.Manifest, error) {
	a, err := c.authorizeVersion(ctx, who, ref, "export", access.Download)
	if err != nil {
		return nil, err
	}
	return export.Write(ctx, c.registry, a.manifest.Ref(), o.Folder, export.Options{
		Preprocessing: o.Preprocessing, Private: len(a.policy.Restrictions(a.origins)) > 0,
	})
}

// A VersionAccess is what restricts a version, and what the caller may do with
// it.
type VersionAccess struct {
	Version      string                    `json:"version"`
	RestrictedBy []access.Object           `json:"restricted_by"`
	Declassified []access.Declassification `json:"declassified"`
	You          []RightDecision           `json:"you"`
	// Owners are the owners of the registered objects in RestrictedBy.
	Owners map[access.Object]access.Principal `json:"-"`
}

// VersionAccess returns what restricts a version and what the caller may do
// with it. Every caller may call it. Nothing is recorded.
func (c *Catalog) VersionAccess(ctx context.Context, who access.Caller, ref registry.Ref) (VersionAccess, error) {
	who, p, err := c.begin(ctx, who)
	if err != nil {
		return VersionAccess{}, err
	}
	m, origins, err := c.version(ctx, ref)
	if err != nil {
		return VersionAccess{}, err
	}
	v := VersionAccess{
		Version: m.Ref().String(), RestrictedBy: p.Restrictions(origins), Declassified: p.Declassifications(m.Ref().String()),
		Owners: make(map[access.Object]access.Principal),
	}
	for _, o := range v.RestrictedBy {
		if owner, governed := p.Owner(o); governed {
			v.Owners[o] = owner
		}
	}
	v.You, err = c.decisions(ctx, p, who, access.Request{Lineage: origins}, access.Use, access.Download, access.Promote)
	return v, err
}

// VersionsPinning returns the references of the versions whose preprocessing needs a
// plugin, by the plugin's digest. Every caller may call it. Nothing is recorded.
func (c *Catalog) VersionsPinning(ctx context.Context, who access.Caller, plugin string) ([]string, error) {
	if _, err := c.authority.Resolve(ctx, who); err != nil {
		return nil, err
	}
	return c.registry.Pinning(ctx, plugin)
}

// VerifyRegistry reads everything that the registry stores and returns all
// differences from what was registered. Only an administrator of the home may do
// this. Only a refusal is recorded.
func (c *Catalog) VerifyRegistry(ctx context.Context, who access.Caller) ([]registry.Problem, error) {
	if err := c.authority.RequireAdministrator(ctx, who, "verify-registry"); err != nil {
		return nil, err
	}
	return c.registry.Verify(ctx)
}

// undeleted returns the versions that are not deleted.
func undeleted(versions []registry.Version) []registry.Version {
	return slices.DeleteFunc(slices.Clone(versions), func(v registry.Version) bool { return v.Deleted != nil })
}

// lineages returns the origins of several versions.
func (c *Catalog) lineages(ctx context.Context, versions []registry.Version) ([][]access.Origin, error) {
	all := make([][]access.Origin, len(versions))
	for i, v := range versions {
		var err error
		if all[i], err = c.origins(ctx, v.Manifest); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// An authorized version is one on which a caller has a right.
type authorized struct {
	manifest *registry.Manifest
	origins  []access.Origin
	policy   *access.Policy // that decided
}

// authorizeVersion resolves a reference, decides whether a caller has a right on
// the version, and records the decision.
func (c *Catalog) authorizeVersion(ctx context.Context, who access.Caller, ref registry.Ref, action string, right access.Right) (authorized, error) {
	who, p, err := c.begin(ctx, who)
	if err != nil {
		return authorized{}, err
	}
	m, origins, err := c.version(ctx, ref)
	if err != nil {
		return authorized{}, err
	}
	_, err = c.authority.AuthorizeBy(ctx, p, who, access.Request{Action: action, Right: right, Lineage: origins})
	return authorized{m, origins, p}, err
}
