// Package classify classifies the images of a pipeline in the process of the
// pipeline, with versions of the home's registry.
package classify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tkit/access"
	"tkit/catalog"
	"tkit/inference"
	"tkit/ingest/failure"
	"tkit/internal/bottlenecks"
	"tkit/internal/pipeline"
	"tkit/internal/tensorflow"
	"tkit/registry"
)

// Stage is the stage of this package's failures.
const Stage = "classify"

// watchEvery is the interval between checks of the registry and the policy.
const watchEvery = 250 * time.Millisecond

// patience is how long an image waits for a model that is overloaded or being loaded.
// Then the pipeline retries it.
const patience = 30 * time.Second

// Options configure an engine.
type Options struct {
	Catalog *catalog.Catalog
	// Caller is the principal of the run. It needs the right to use the models, from
	// the first image to the last.
	Caller  access.Caller
	Models  []registry.Ref // the aliases are followed
	Plugins pipeline.Plugins
	Keep    Keep
	Log     *slog.Logger
}

// An Engine holds the models of a run. They are loaded once, share their trunk, and
// follow promotions without a pause. Its methods may be called concurrently.
type Engine struct {
	options Options
	serving *catalog.Serving
	manager *inference.Manager
	stop    context.CancelFunc
	running sync.WaitGroup
	changed chan struct{} // capacity 1: the manager has changed
	keeper  *keeper       // nil: bottlenecks are not kept
}

// Open loads the models and returns when all are available. The error wraps
// access.ErrDenied if the caller may not use one of them.
func Open(ctx context.Context, o Options) (_ *Engine, err error) {
	for _, ref := range o.Models {
		if err := mayUse(ctx, o, ref); err != nil {
			return nil, fmt.Errorf("classify: %w", err)
		}
	}
	e := &Engine{options: o, changed: make(chan struct{}, 1)}
	e.serving, err = o.Catalog.Serve(ctx, catalog.ServingOptions{Server: o.Caller, Every: watchEvery, Log: o.Log})
	if err != nil {
		return nil, fmt.Errorf("classify: %w", err)
	}
	source := &inference.RegistrySource{Registry: e.serving.Versions(), Wanted: o.Models, Every: watchEvery, Log: o.Log}
	if err := source.Check(ctx); err != nil {
		e.serving.Close()
		return nil, fmt.Errorf("classify: %w", err)
	}
	metrics := inference.NewMetrics()
	loading := inference.LoaderOptions{
		Trunk:  tensorflow.Config{RunInCaller: true},
		Limits: inference.DefaultLimits, Decoders: runtime.GOMAXPROCS(0), Images: 1,
		Plugins: o.Plugins, Permit: e.mayLoad, Metrics: metrics, Log: o.Log,
	}
	if o.Keep.MostBytes > 0 {
		e.keeper = newKeeper(o.Keep.MostBytes, e.cacheFolder, o.Log)
		loading.Keep = e.keeper.keep
	}
	loader := inference.NewLoader(source, loading)
	e.manager = inference.NewManager(source, loader, inference.ManagerOptions{
		Metrics: metrics, Log: o.Log, Permit: e.permit, Published: e.published,
	})
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	e.running.Go(func() { e.manager.Run(running) })
	if err := e.ready(ctx); err != nil {
		e.Close()
		return nil, fmt.Errorf("classify: %w", err)
	}
	return e, nil
}

// mayUse decides whether the caller may use a model now, and records it.
func mayUse(ctx context.Context, o Options, ref registry.Ref) error {
	use, err := o.Catalog.UseVersion(ctx, o.Caller, ref)
	if err != nil {
		return err
	}
	return use.End(nil)
}

// Close waits for the images in progress and unloads the models.
func (e *Engine) Close() {
	e.stop()
	e.running.Wait()
	if e.keeper != nil {
		e.keeper.close()
	}
	e.serving.Close()
}

// cacheFolder is the folder of the bottlenecks that a version computes.
func (e *Engine) cacheFolder(ctx context.Context, m *registry.Manifest) (string, error) {
	return e.serving.DerivedFolder(ctx, bottlenecks.Folder, m, e.options.Keep.Places)
}

func (e *Engine) permit(ctx context.Context, v inference.Version) error {
	return e.serving.AuthorizeUse(ctx, e.options.Caller, v.String(), v.Manifest)
}

func (e *Engine) mayLoad(ctx context.Context, v inference.Version) error {
	return e.serving.AuthorizeLoad(ctx, v.String(), v.Manifest)
}

func (e *Engine) published() {
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// ready waits until every model is available.
func (e *Engine) ready(ctx context.Context) error {
	for {
		r := e.manager.Readiness()
		if r.Complete() {
			return nil
		}
		if len(r.Failing) > 0 {
			return fmt.Errorf("cannot load %s; see the log", r.Failing[0])
		}
		select {
		case <-e.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A Result is the prediction of one model for an image.
type Result struct {
	Model         string            `json:"model"`
	Version       int               `json:"version"`
	Alias         string            `json:"alias,omitempty"`
	Labels        []inference.Label `json:"labels"` // the most probable first
	Preprocessing string            `json:"preprocessing"`
	// RestrictedBy are the datasets and models whose restrictions apply to the
	// version, and so to what is derived from it.
	RestrictedBy []access.Object `json:"restricted_by"`
}

// Classify classifies an image with some of the models, and returns results in their
// order with the top most probable labels. Models with the same trunk and
// preprocessing need one pass through the trunk.
//
// It waits for a model that is overloaded or being loaded. An error is a
// *failure.Error: Lasting if the image cannot be used. It wraps access.ErrDenied when
// the caller has lost the right to use a model.
func (e *Engine) Classify(ctx context.Context, image []byte, models []registry.Ref, top int) ([]Result, error) {
	results := make([]Result, len(models))
	group, ctx := errgroup.WithContext(ctx)
	for i, ref := range models {
		group.Go(func() (err error) {
			results[i], err = e.classify(ctx, image, ref, top)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, failed(err)
	}
	return results, nil
}

// classify asks one model, and again while it is overloaded or being loaded.
func (e *Engine) classify(ctx context.Context, image []byte, ref registry.Ref, top int) (r Result, err error) {
	err = failure.Persist(ctx, patience, func() (err error) {
		r, err = e.attempt(ctx, image, ref, top)
		return err
	}, func(err error) (wait time.Duration, may bool) {
		if busy, ok := errors.AsType[*inference.Error](err); ok {
			wait = busy.RetryAfter
		}
		return wait, temporary(err)
	})
	return r, err
}

func (e *Engine) attempt(ctx context.Context, image []byte, ref registry.Ref, top int) (Result, error) {
	h, err := e.manager.Acquire(ctx, ref)
	if err != nil {
		return Result{}, err
	}
	defer h.Release()
	if h.Manifest == nil {
		return Result{}, fmt.Errorf("%s is no image classifier of the registry", h.Version)
	}
	predictions, _, err := h.Classify(ctx, [][]byte{image})
	if err != nil {
		return Result{}, err
	}
	by, err := e.serving.Restrictions(ctx, h.Version.String(), h.Manifest)
	if err != nil {
		return Result{}, err
	}
	return Result{
		Model: h.Model, Version: h.Number, Alias: ref.Alias, Labels: predictions[0].Top(top),
		Preprocessing: h.Manifest.Preprocessing.Digest(), RestrictedBy: by,
	}, nil
}

// temporary reports whether an error ends without the pipeline's doing.
func temporary(err error) bool {
	switch inference.ReasonOf(err) {
	case inference.Overloaded, inference.Unavailable, inference.NotFound:
		return !errors.Is(err, access.ErrDenied)
	}
	return errors.Is(err, catalog.ErrUnavailable)
}

// failed says what an error means for the image.
func failed(err error) error {
	kind := failure.Unknown
	switch inference.ReasonOf(err) {
	case inference.EmptyImage, inference.UnsupportedImage, inference.TruncatedImage, inference.CorruptImage,
		inference.RefusedImage, inference.TooManyPixels, inference.TooCostlyImage:
		kind = failure.Lasting
	case inference.Cancelled, inference.Timeout:
		kind = failure.Outage
	}
	if temporary(err) || errors.Is(err, access.ErrDenied) {
		kind = failure.Outage
	}
	if row, ok := errors.AsType[*inference.RowError](err); ok {
		err = row.Err // there is only one image
	}
	return &failure.Error{Stage: Stage, Kind: kind, Err: err}
}
