package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tkit/access"
	"tkit/internal/inputfile"
	"tkit/internal/network"
	"tkit/registry"
	"tkit/registry/export"
)

// ErrAmbiguous is the error of a name that means several bases.
var ErrAmbiguous = errors.New("the name means several bases")

// A Base is what a model is built on. Path, Stored or Version says where it is; the
// zero Base is nothing.
type Base struct {
	// Path is a SavedModel's folder or another file outside the registry.
	Path string
	// Stored is a base of the registry.
	Stored *registry.BaseManifest
	// Version is a registered version, or the one that the SavedModel at Path was
	// exported from: the restrictions of an export are those of its version.
	Version *registry.Manifest
}

// String names the base.
func (b Base) String() string {
	switch {
	case b.Stored != nil:
		return b.Stored.Name
	case b.Path != "":
		return b.Path
	case b.Version != nil:
		return b.Version.Ref().String()
	}
	return "none"
}

// Random reports whether it is recorded that the base was never trained.
func (b Base) Random() bool {
	if b.Stored != nil {
		return b.Stored.Random
	}
	return b.Version != nil && b.Version.Lineage.Base != nil && b.Version.Lineage.Base.Random
}

// findBase returns the base that a name means: a path, a stored base's name or its
// digest, or the reference of a registered version. A name that means several of them
// is an error. Only the account of this process may name paths.
func (c *Catalog) findBase(ctx context.Context, who access.Caller, name string) (b Base, err error) {
	if name == "" {
		return Base{}, nil
	}
	var meant []string // the spellings that mean one of them alone
	if _, missing := os.Stat(name); missing == nil && c.authority.IsAccount(who) {
		b.Path = name
		meant = append(meant, "./"+name)
	}
	none := fmt.Errorf("%q is no path", name)
	if !strings.ContainsRune(name, filepath.Separator) { // otherwise it can only be a path
		if b.Stored, err = c.registry.Base(ctx, name); err == nil {
			meant = append(meant, string(b.Stored.Network.Digest))
		} else if !errors.Is(err, registry.ErrNotFound) {
			return Base{}, err
		}
		if b.Version, err = c.resolve(ctx, name); err == nil {
			meant = append(meant, b.Version.Ref().String())
		} else if !errors.Is(err, registry.ErrNotFound) && !errors.Is(err, registry.ErrInvalid) {
			return Base{}, err
		}
		none = fmt.Errorf("%w, no stored base, and %w", none, err)
	}
	switch {
	case len(meant) == 0:
		return Base{}, &UnknownError{none}
	case len(meant) > 1:
		return Base{}, fmt.Errorf("%w: %q may be %s; give one of these", ErrAmbiguous, name, strings.Join(meant, " or "))
	case b.Path == "":
		return b, nil
	}
	b.Version, err = c.exportedFrom(ctx, b.Path)
	return b, err
}

// resolve returns the version that a text refers to.
func (c *Catalog) resolve(ctx context.Context, text string) (*registry.Manifest, error) {
	ref, err := registry.ParseRef(text)
	if err != nil {
		return nil, err
	}
	return c.registry.Resolve(ctx, ref)
}

// exportedFrom returns the version of this registry whose manifest is in a
// SavedModel; nil where there is none. An export of a deleted version is refused.
func (c *Catalog) exportedFrom(ctx context.Context, folder string) (*registry.Manifest, error) {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, err
	}
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
	ours, err := c.registry.Registered(ctx, written.Ref())
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil // another registry's
	}
	if err != nil {
		return nil, err
	}
	a, errA := written.Digest()
	b, errB := ours.Digest()
	if err := errors.Join(errA, errB); err != nil || a != b {
		return nil, err
	}
	return c.registry.Resolve(ctx, ours.Ref()) // refuses a deleted version
}

// Base returns what the run builds on; see TrainingOptions.
func (r *TrainingRun) Base() Base { return r.base }

// BaseNetwork opens the network of the registered version or the stored base that the
// run builds on. The caller closes it.
func (r *TrainingRun) BaseNetwork() (*network.Network, error) {
	if r.base.Stored != nil {
		return r.catalog.storedNetwork(r.ctx, r.base.Stored)
	}
	return export.Network(r.ctx, r.catalog.registry, r.base.Version)
}
