package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tkit/internal/bases"
	"tkit/internal/inputfile"
	"tkit/internal/network"
	"tkit/internal/preprocessing"
	"tkit/internal/savedmodel"
	"tkit/registry"
	"tkit/registry/export"
)

// ErrChoose is wrapped where the base has several inputs or outputs and one has
// to be chosen.
var ErrChoose = bases.ErrChoose

// base is what a new head goes on.
type base struct {
	network       *network.Network
	preprocessing preprocessing.Preprocessing
	lineage       registry.Base
}

// openBase opens the SavedModel or the registered version that the base is, and
// prepares it for a head.
func (r *run) openBase(ctx context.Context) (*base, error) {
	b := new(base)
	own, err := r.readBase(ctx, b)
	if err != nil {
		return nil, of("base", err)
	}
	whole := b.network
	digest, err := whole.Digest()
	if err != nil {
		return nil, errors.Join(of("base", err), whole.Close())
	}
	b.lineage.Digest = registry.Digest(digest)
	prepared, err := bases.Prepare(whole, bases.Options{Input: r.Input, Output: r.Output, Note: r.note})
	if err != nil {
		return nil, errors.Join(of("base", err), whole.Close())
	}
	b.network = prepared.Network
	if err := errors.Join(whole.Close(), r.preprocess(ctx, b, own, prepared)); err != nil {
		return nil, errors.Join(err, b.network.Close())
	}
	return b, nil
}

// readBase reads the base's network, and returns the preprocessing that is
// recorded with it. That has no steps where none is.
func (r *run) readBase(ctx context.Context, b *base) (own preprocessing.Preprocessing, err error) {
	if r.builtOn != nil {
		b.lineage.Version = r.builtOn.Ref().String()
	}
	if r.builtOn != nil && !isFolder(r.Base) {
		b.lineage.Name = r.builtOn.Model
		b.network, err = export.Network(ctx, r.Registry, r.builtOn)
		return r.builtOn.Preprocessing, err
	}
	b.lineage.Name = filepath.Base(r.Base)
	if own, err = recordedPreprocessing(ctx, r.Base); err != nil {
		return own, err
	}
	b.network, err = savedmodel.Read(ctx, r.Base, savedmodel.Options{Tags: r.Tags, Signature: r.Signature, Note: r.note})
	return own, err
}

// preprocess chooses the preprocessing: the one that was asked for, else the
// base's own.
func (r *run) preprocess(ctx context.Context, b *base, own preprocessing.Preprocessing, prepared *bases.Base) (err error) {
	if b.preprocessing, err = choosePreprocessing(ctx, r.Options.Preprocessing, own, prepared); err != nil {
		return of("preprocessing", err)
	}
	if err := prepared.Accepts(b.preprocessing); err != nil {
		return of("base", err)
	}
	b.preprocessing, err = b.preprocessing.Pin(r.Plugins.Pin)
	return err
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// findBase finds the registered version that the base is, or that it was
// exported from: an export has the restrictions of its version. It returns nil
// where the base is neither.
func (r *run) findBase(ctx context.Context) (*registry.Manifest, error) {
	if r.Base == "" {
		return nil, nil
	}
	if isFolder(r.Base) {
		return r.exportedFrom(ctx, r.Base)
	}
	ref, err := registry.ParseRef(r.Base)
	var m *registry.Manifest
	if err == nil {
		m, err = r.Registry.Resolve(ctx, ref)
	}
	if _, missing := os.Stat(r.Base); err != nil && missing == nil {
		return nil, nil // a file: reading it as a SavedModel says what is wrong
	}
	if err != nil {
		return nil, fmt.Errorf("%q is not a folder, and %w", r.Base, err)
	}
	return m, nil
}

// exportedFrom finds the version of this registry that a SavedModel was exported
// from, by the manifest in it.
func (r *run) exportedFrom(ctx context.Context, dir string) (*registry.Manifest, error) {
	raw, err := inputfile.Read(ctx, filepath.Join(dir, export.Extra, "manifest.json"), inputfile.MaxText)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	written, err := registry.DecodeManifest(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	ours, err := r.Registry.Resolve(ctx, written.Ref())
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
	return ours, nil
}

// recordedName is the file in which a SavedModel that was exported for tkit has
// its preprocessing.
const recordedName = "assets.extra/preprocessing.json"

func recordedPreprocessing(ctx context.Context, dir string) (preprocessing.Preprocessing, error) {
	var p preprocessing.Preprocessing
	raw, err := inputfile.Read(ctx, filepath.Join(dir, recordedName), inputfile.MaxText)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		return p, fmt.Errorf("%s: %w", recordedName, err)
	}
	return p, nil
}
