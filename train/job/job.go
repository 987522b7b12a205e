// Package job runs a training from its options to a registered version: it
// opens the base and the data, trains, and registers the result. All callers
// that train registered versions, such as the command line, use Run.
package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"tkit/access"
	"tkit/architectures"
	"tkit/catalog"
	"tkit/datasets"
	"tkit/inference"
	"tkit/internal/bottlenecks"
	"tkit/internal/preprocessing"
	"tkit/plugins/steps"
	"tkit/registry"
	"tkit/train"
	"tkit/train/base"
	"tkit/train/head"
)

// Env is the environment of a job.
type Env struct {
	Catalog  *catalog.Catalog
	Caller   access.Caller // who trains
	Plugins  *steps.Steps
	Observer train.Observer
	GPUs     inference.GPUs // of the process
}

// run is one Run in progress.
type run struct {
	Env
	Options
	permitted *catalog.TrainingRun
	base      *registry.Base // nil when training from scratch
	snapshot  datasets.SnapshotOptions
	work      string
	told      bytes.Buffer // the events stored with the version, as lines of JSON
}

// Run trains according to the options and registers the result. If it fails,
// nothing is registered, and running it again continues from the stored
// intermediate results. A version that was registered but could not be promoted
// is returned with the error.
func Run(ctx context.Context, env Env, o Options) (v registry.Version, err error) {
	if err := o.Check(); err != nil {
		return v, err
	}
	if err := env.findDevice(); err != nil {
		return v, err
	}
	look, end, err := o.LookAlikes.Look(o.Split)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, end()) }()
	r := &run{Env: env, Options: o}
	r.permitted, err = r.Catalog.BeginTraining(ctx, r.Caller, catalog.TrainingOptions{Data: o.Data, Base: o.Base})
	if err != nil {
		return v, err
	}
	defer func() { err = r.permitted.End(err) }()
	r.snapshot = datasets.SnapshotOptions{AllOrNothing: r.permitted.AllOrNothing(), Look: look}
	work, err := r.permitted.NewWorkFolder()
	if err != nil {
		return v, of("home", err)
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	r.work = work.Path
	return r.trainAndRegister(r.permitted.Context())
}

// findDevice sets the process's GPUs and reports what the job computes on.
func (e Env) findDevice() error {
	if err := inference.UseGPUs(e.GPUs); err != nil {
		return err
	}
	d, err := inference.FindDevice()
	if err == nil && e.Observer != nil {
		e.Observer(train.DeviceFound{Device: d.Name, Missing: d.Missing})
	}
	return err
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
	if v, err = r.permitted.Register(n); err != nil {
		return v, fmt.Errorf("register: %w", err)
	}
	if err := result.Kept(); err != nil {
		return v, err
	}
	if r.Promote {
		if _, err := r.permitted.Promote(v.Manifest.Ref(), registry.Production, r.By); err != nil {
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
		Base: b.network, Preprocessing: b.preprocessing, Plugins: r.Plugins, Source: r.permitted.Source, Split: r.Split,
		Cut: r.Cut, Head: head.Options{Balanced: r.Balanced}, Copies: r.Copies, Augment: r.Augment, Seed: r.Seed,
		Permit: r.permit(bottlenecks.Folder, b.preprocessing), Snapshot: r.snapshot, Work: r.work, Observer: r.observe,
	})
	if err != nil {
		return nil, err
	}
	keep := r.CacheSize
	if r.noteUnequal() {
		keep = 0 // it is unknown which bottlenecks are wrong
	}
	if _, err := bottlenecks.Prune(r.permitted.DerivedFolder(bottlenecks.Folder), keep); err != nil {
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
		if p, err = base.ParsePreprocessing(ctx, r.Preprocessing, a.Input); err != nil {
			return nil, of("preprocessing", err)
		}
	}
	if p, err = p.Pin(r.Plugins.Pin); err != nil {
		return nil, err
	}
	training := r.Training
	training.Seed, training.Augment = r.Seed, r.Augment
	result, err := train.FromScratch(ctx, train.ScratchOptions{
		Architecture: a, Source: r.permitted.Source, Split: r.Split, Preprocessing: p, Plugins: r.Plugins, Training: training,
		Permit: r.permit(checkpointFolder, p), Snapshot: r.snapshot, Observer: r.observe,
	})
	r.noteUnequal()
	return result, err
}

// checkpointFolder is the name of the folder with the checkpoints of interrupted
// runs.
const checkpointFolder = "checkpoints"

// permit decides about the data once its content is known, and returns the
// folder for data derived from it. The results of plugins that are not
// deterministic are not kept.
func (r *run) permit(folder string, p preprocessing.Preprocessing) train.Permit {
	return func(ctx context.Context, s *datasets.Snapshot, report *datasets.Report) (derived string, err error) {
		if err := r.permitted.Found(ctx, s, report); err != nil {
			return "", err
		}
		if kept, err := r.Plugins.Deterministic(p); err != nil || !kept {
			return "", err
		}
		return r.permitted.DerivedFolder(folder), nil
	}
}

// observe passes an event on, and records what is stored with the version. The
// right to train on data does not include the right to see it: without that,
// the names of its images are omitted.
func (r *run) observe(e train.Event) {
	switch e.(type) {
	case train.PhaseBegan, train.Progress, train.DataFound: // transient, or stored as a separate attachment
	default:
		train.JSONLines(&r.told)(e)
	}
	if found, ok := e.(train.DataFound); ok && !r.permitted.MayRead() {
		found.Report = found.Report.Unnamed()
		e = found
	}
	if r.Observer != nil {
		r.Observer(e)
	}
}

func (r *run) note(text string) { r.observe(train.Noted{Text: text}) }

// noteUnequal reports the plugins that returned different results for the same
// images although they are declared deterministic, and whether there are any.
func (r *run) noteUnequal() bool {
	caught := r.Plugins.Unequal()
	if len(caught) > 0 {
		r.note(fmt.Sprintf("%s returned different results for the same images, although declared deterministic: "+
			"this run is not reproducible, and none of its intermediate results are kept", strings.Join(caught, ", ")))
	}
	return len(caught) > 0
}
