package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tkit/access"
	"tkit/internal/inputfile"
	"tkit/internal/network"
	"tkit/registry"
	"tkit/registry/export"
)

// baseVersion returns the registered version that a base is: the one that a
// reference names, or that a SavedModel in a folder was exported from, since the
// restrictions of an export are those of its version. It is nil if the base is
// neither.
func (c *Catalog) baseVersion(ctx context.Context, who access.Caller, base string) (*registry.Manifest, error) {
	if base == "" {
		return nil, nil
	}
	account := c.authority.IsAccount(who) // the account whose files may be named
	info, missing := os.Stat(base)
	if account && missing == nil && info.IsDir() {
		return c.exportedFrom(ctx, base)
	}
	ref, err := registry.ParseRef(base)
	var m *registry.Manifest
	if err == nil {
		m, err = c.registry.Resolve(ctx, ref)
	}
	if account && err != nil && missing == nil {
		return nil, nil // a file, for which reading it later returns an error
	}
	if err != nil {
		return nil, fmt.Errorf("%q is not a folder, and %w", base, err)
	}
	return m, nil
}

// exportedFrom returns the version of this registry whose manifest is in a
// SavedModel.
func (c *Catalog) exportedFrom(ctx context.Context, folder string) (*registry.Manifest, error) {
	raw, err := inputfile.Read(ctx, filepath.Join(folder, export.Extra, "manifest.json"), inputfile.MaxText)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	written, err := registry.DecodeManifest(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	ours, err := c.registry.Resolve(ctx, written.Ref())
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil // of another registry
	}
	if err != nil {
		return nil, err
	}
	a, errA := written.Digest()
	b, errB := ours.Digest()
	if err := errors.Join(errA, errB); err != nil || a != b {
		return nil, err
	}
	return ours, nil
}

// BaseVersion is the registered version that the base is, or nil; see
// TrainingOptions.
func (r *TrainingRun) BaseVersion() *registry.Manifest { return r.base }

// BaseNetwork joins the parts of the registered version that the base is. The
// caller closes it.
func (r *TrainingRun) BaseNetwork() (*network.Network, error) {
	return export.Network(r.ctx, r.catalog.registry, r.base)
}
