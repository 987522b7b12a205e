// Package job runs a training from its options to a registered version: it opens
// the base and the data, trains, and registers the result. Every caller that
// trains a registered version, such as the command line, goes through Run.
package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"tkit/architectures"
	"tkit/datasets"
	"tkit/internal/bottlenecks"
	"tkit/internal/preprocessing"
	"tkit/internal/workfolder"
	"tkit/plugins/steps"
	"tkit/registry"
	"tkit/train"
	"tkit/train/head"
)

// Rights decide what a run may do, from its beginning to its end. Run calls the
// methods in the order in which they stand here.
type Rights interface {
	// Find finds the data by its name, path or URI.
	Find(ctx context.Context, data string) error
	// Begin decides whether the run may use the data, and build on base, which is
	// nil where it builds on no registered version. The context that it returns
	// ends when the run must stop.
	Begin(ctx context.Context, base *registry.Manifest) (context.Context, error)
	// Open opens the data. Whole reports that the data must be used whole or not
	// at all.
	Open(ctx context.Context) (src datasets.Source, whole bool, err error)
	// Found decides again, now that the content of the data is known.
	Found(ctx context.Context, s *datasets.Snapshot, r *datasets.Report) (Terms, error)
	// Register registers the result if the run still may.
	Register(ctx context.Context, n registry.Registration, s *datasets.Snapshot) (registry.Version, error)
	// Promote makes a version the production version of its model.
	Promote(ctx context.Context, m *registry.Manifest, by registry.Change) error
	// End closes the data. It returns err, or the reason why the run had to stop.
	End(ctx context.Context, err error) error
}

// Terms are what a run may do with its data.
type Terms struct {
	// Datasets are the registered datasets that the data belongs to.
	Datasets []string
	// Domain separates what is derived from restricted data; "" for data that
	// nothing restricts.
	Domain string
	// Names reports that the run's user may see the names of the images.
	Names bool
}

// Env is where a job runs.
type Env struct {
	Home     string
	Registry *registry.Registry
	Rights   Rights
	Plugins  *steps.Steps
	Observer train.Observer
}

// run is one Run in progress.
type run struct {
	Env
	Options
	builtOn  *registry.Manifest // the registered version behind the base, or nil
	base     *registry.Base     // nil from scratch
	source   datasets.Source
	snapshot datasets.SnapshotOptions
	work     string
	terms    Terms
	derived  string       // the folder of what is kept for other runs
	told     bytes.Buffer // the events that the version keeps, as lines of JSON
}

// Run trains what the options say and registers it. Where it fails, nothing is
// registered, and the same run goes on from what was kept. A version that was
// registered but could not be promoted is returned with the error.
func Run(ctx context.Context, env Env, o Options) (v registry.Version, err error) {
	if err := o.Check(); err != nil {
		return v, err
	}
	r := &run{Env: env, Options: o}
	if r.builtOn, err = r.findBase(ctx); err != nil {
		return v, of("base", err)
	}
	if err := r.Rights.Find(ctx, o.Data); err != nil {
		return v, of("data", err)
	}
	held, err := r.Rights.Begin(ctx, r.builtOn)
	if err != nil {
		return v, err
	}
	defer func() { err = r.Rights.End(ctx, err) }()
	if r.source, r.snapshot.AllOrNothing, err = r.Rights.Open(held); err != nil {
		return v, of("data", err)
	}
	r.snapshot.Look = o.Look
	work, err := workfolder.New(r.Home, registry.WorkPrefix)
	if err != nil {
		return v, of("home", err)
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	r.work = work.Path
	return r.trainAndRegister(held)
}

func (r *run) trainAndRegister(ctx context.Context) (v registry.Version, err error) {
	var result *train.Result
	if r.Base != "" {
		result, err = r.fineTune(ctx)
	} else {
		result, err = r.fromScratch(ctx)
	}
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, result.Close()) }()
	n, err := r.registration(result)
	if err != nil {
		return v, err
	}
	if v, err = r.Rights.Register(ctx, n, result.Snapshot); err != nil {
		return v, err
	}
	if err := result.Kept(); err != nil {
		return v, err
	}
	if r.Promote {
		if err := r.Rights.Promote(ctx, v.Manifest, r.By); err != nil {
			return v, fmt.Errorf("%s is registered, but not promoted: %w", v.Manifest.Ref(), err)
		}
	}
	return v, nil
}

func (r *run) fineTune(ctx context.Context) (*train.Result, error) {
	b, err := r.openBase(ctx)
	if err != nil {
		return nil, err
	}
	defer b.network.Close()
	r.base = &b.lineage
	result, err := train.FineTune(ctx, train.FineTuneOptions{
		Base: b.network, Preprocessing: b.preprocessing, Plugins: r.Plugins, Source: r.source, Split: r.Split,
		Cut: r.Cut, Head: head.Options{Balanced: r.Balanced}, Copies: r.Copies, Augment: r.Augment, Seed: r.Seed,
		Admit: r.admit("bottlenecks", b.preprocessing), Snapshot: r.snapshot, Work: r.work, Observer: r.observe,
	})
	if err != nil {
		return nil, err
	}
	keep := r.CacheSize
	if r.noteUnequal() {
		keep = 0 // nobody knows which bottlenecks to believe
	}
	if _, err := bottlenecks.Prune(r.derived, keep); err != nil {
		return nil, errors.Join(err, result.Close())
	}
	return result, nil
}

func (r *run) fromScratch(ctx context.Context) (*train.Result, error) {
	a, err := architectures.Lookup(r.Architecture)
	if err != nil {
		return nil, of("architecture", err)
	}
	p := a.Preprocessing
	if r.Preprocessing != "" {
		if p, err = parsePreprocessing(ctx, r.Preprocessing, a.Input); err != nil {
			return nil, of("preprocessing", err)
		}
	}
	if p, err = p.Pin(r.Plugins.Pin); err != nil {
		return nil, err
	}
	training := r.Training
	training.Seed, training.Augment = r.Seed, r.Augment
	result, err := train.FromScratch(ctx, train.ScratchOptions{
		Architecture: a, Source: r.source, Split: r.Split, Preprocessing: p, Plugins: r.Plugins, Training: training,
		Admit: r.admit("checkpoints", p), Snapshot: r.snapshot, Observer: r.observe,
	})
	r.noteUnequal()
	return result, err
}

// admit decides on the snapshot of the data. What is derived from restricted data
// is kept in a folder by itself for each set of restrictions: no run finds it
// that the policy keeps from that data. The results of plugins that are not
// deterministic are not kept at all.
func (r *run) admit(folder string, p preprocessing.Preprocessing) train.Admit {
	return func(ctx context.Context, s *datasets.Snapshot, report *datasets.Report) (derived string, err error) {
		if r.terms, err = r.Rights.Found(ctx, s, report); err != nil {
			return "", err
		}
		r.derived = filepath.Join(r.Home, folder)
		if domain := r.terms.Domain; domain != "" {
			r.derived = filepath.Join(r.Home, "restricted", domain, folder)
		}
		if kept, err := r.Plugins.Deterministic(p); err != nil || !kept {
			return "", err
		}
		return r.derived, nil
	}
}

// observe passes an event on, and keeps what the version will tell. To train on
// data is not to see it: without that right the names of its images are left
// out.
func (r *run) observe(e train.Event) {
	switch e.(type) {
	case train.PhaseBegan, train.Progress, train.DataFound: // passing, or an attachment by itself
	default:
		train.JSONLines(&r.told)(e)
	}
	if found, ok := e.(train.DataFound); ok && !r.terms.Names {
		found.Report = found.Report.Unnamed()
		e = found
	}
	if r.Observer != nil {
		r.Observer(e)
	}
}

func (r *run) note(text string) { r.observe(train.Noted{Text: text}) }

// noteUnequal tells which plugins gave different results for the same images
// though they promise to be deterministic, and whether there are any.
func (r *run) noteUnequal() bool {
	caught := r.Plugins.Unequal()
	if len(caught) > 0 {
		r.note(fmt.Sprintf("%s answered the same images differently, though said to be deterministic: "+
			"this run cannot be repeated, and nothing that it computed is kept for the next", strings.Join(caught, ", ")))
	}
	return len(caught) > 0
}
