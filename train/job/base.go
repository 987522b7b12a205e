package job

import (
	"context"
	"errors"
	"path/filepath"

	"tkit/internal/bases"
	"tkit/internal/network"
	"tkit/internal/preprocessing"
	"tkit/registry"
	"tkit/train/base"
)

// ErrInput and ErrOutput are wrapped if the base has several inputs or outputs and
// one has to be chosen.
var (
	ErrInput  = bases.ErrInput
	ErrOutput = bases.ErrOutput
)

// prepared is the base of a new head.
type prepared struct {
	network       *network.Network
	preprocessing preprocessing.Preprocessing
	lineage       registry.Base
}

// openBase opens the base and prepares it for a head.
func (r *run) openBase(ctx context.Context) (*prepared, error) {
	b := new(prepared)
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
	if b.lineage.Random = r.permitted.Base().Random() || bases.Untrained(whole); b.lineage.Random {
		r.note(registry.RandomWarning)
	}
	p, err := bases.Prepare(whole, bases.Options{Input: r.Input, Output: r.Output, Note: r.note})
	if err != nil {
		return nil, errors.Join(of("base", err), whole.Close())
	}
	b.network = p.Network
	if err := errors.Join(whole.Close(), r.preprocess(ctx, b, own, p)); err != nil {
		return nil, errors.Join(err, b.network.Close())
	}
	return b, nil
}

// readBase reads the base's network, and returns the preprocessing recorded
// with it, which has no steps if none is recorded.
func (r *run) readBase(ctx context.Context, b *prepared) (own preprocessing.Preprocessing, err error) {
	switch found := r.permitted.Base(); {
	case found.Stored != nil:
		b.lineage.Name, own = found.Stored.Name, found.Stored.Preprocessing
	case found.Path == "":
		b.lineage.Name, own = found.Version.Model, found.Version.Preprocessing
	default:
		b.lineage.Name = filepath.Base(found.Path)
		read, err := base.Read(ctx, base.Source{
			Path: found.Path, Tags: r.Tags, Signature: r.Signature, Output: r.Output, Note: r.note,
		})
		if err != nil {
			return own, err
		}
		b.network = read.Network
		return read.Preprocessing, nil
	}
	b.network, err = r.permitted.BaseNetwork()
	return own, err
}

// preprocess selects the preprocessing: the requested one, otherwise the base's
// own.
func (r *run) preprocess(ctx context.Context, b *prepared, own preprocessing.Preprocessing, p *bases.Base) (err error) {
	if b.preprocessing, err = base.ChoosePreprocessing(ctx, r.Options.Preprocessing, own, p); err != nil {
		return of("preprocessing", err)
	}
	if err := p.Accepts(b.preprocessing); err != nil {
		return of("base", err)
	}
	b.preprocessing, err = b.preprocessing.Pin(r.Plugins.Pin)
	return err
}
