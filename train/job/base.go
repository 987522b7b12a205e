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
)

// ErrChoose is wrapped if the base has several inputs or outputs and one has to
// be chosen.
var ErrChoose = bases.ErrChoose

// base is the base of a new head.
type base struct {
	network       *network.Network
	preprocessing preprocessing.Preprocessing
	lineage       registry.Base
}

// openBase opens the base, a SavedModel or a registered version, and prepares
// it for a head.
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

// readBase reads the base's network, and returns the preprocessing recorded
// with it, which has no steps if none is recorded.
func (r *run) readBase(ctx context.Context, b *base) (own preprocessing.Preprocessing, err error) {
	if version := r.permitted.BaseVersion(); version != nil && !isFolder(r.Base) {
		b.lineage.Name = version.Model
		b.network, err = r.permitted.BaseNetwork()
		return version.Preprocessing, err
	}
	b.lineage.Name = filepath.Base(r.Base)
	if own, err = recordedPreprocessing(ctx, r.Base); err != nil {
		return own, err
	}
	b.network, err = savedmodel.Read(ctx, r.Base, savedmodel.Options{Tags: r.Tags, Signature: r.Signature, Note: r.note})
	return own, err
}

// preprocess selects the preprocessing: the requested one, otherwise the base's
// own.
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

// recordedName is the file with the preprocessing in a SavedModel exported for
// tkit.
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
