package components

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/failure"
	"tkit/ingest/status"
)

// A watch follows whether something that the run needs is down, and logs when it goes
// down and comes up. Its methods may be called concurrently.
type watch struct {
	run  *Run
	name string
	// failed is when it failed last, in nanoseconds since 1970; 0 while it is up.
	failed atomic.Int64

	mu     sync.Mutex
	outage status.Outage // while failed is not 0
}

// watch returns a watch of something with a name, and perhaps a label.
func (r *Run) watch(name, label string) *watch {
	if label != "" {
		name += " " + label
	}
	w := &watch{run: r, name: name}
	if r.Counters != nil { // otherwise the component is only checked
		r.Counters.addWatch(w)
	}
	return w
}

// saw takes the result of a use that began at a time. Only an outage means that it is
// down, and only a use that began after the last failure that it is up again.
func (w *watch) saw(ctx context.Context, began time.Time, err error) {
	switch {
	case err == nil:
		if failed := w.failed.Load(); failed > 0 && began.UnixNano() > failed {
			w.up()
		}
	case failure.KindOf(err) == failure.Outage && !errors.Is(err, errNothingYet):
		w.down(ctx, err)
	}
}

// sawAny is saw for a use whose every failure is an outage.
func (w *watch) sawAny(ctx context.Context, began time.Time, err error) {
	if err != nil && failure.KindOf(err) != failure.Outage {
		err = &failure.Error{Stage: failure.StageOf(err), Kind: failure.Outage, Err: err}
	}
	w.saw(ctx, began, err)
}

func (w *watch) down(ctx context.Context, err error) {
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return // the run stops
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed.Swap(now.UnixNano()) == 0 {
		w.outage = status.Outage{Component: w.name, Since: now.UTC()}
		w.run.Log.WarnContext(ctx, "a component is down; images wait for it", "component", w.name, "error", failure.CauseOf(err))
	}
	w.outage.Cause = failure.CauseOf(err)
}

func (w *watch) up() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed.Swap(0) != 0 {
		w.run.Log.Info("a component is up again", "component", w.name, "after", time.Since(w.outage.Since).Round(time.Millisecond))
	}
}

// Outages returns what is down, in the order of the components in the run.
func (c *Counters) Outages() (all []status.Outage) {
	c.mu.Lock()
	watches := slices.Clone(c.watches)
	c.mu.Unlock()
	for _, w := range watches {
		w.mu.Lock()
		if w.failed.Load() > 0 {
			all = append(all, w.outage)
		}
		w.mu.Unlock()
	}
	return all
}

func (c *Counters) addWatch(w *watch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watches = append(c.watches, w)
}

// A watchedInput is an input that is watched while it connects, and tells what it sees
// later by itself.
type watchedInput struct {
	service.Input
	watch *watch
}

func watchInput(i service.Input, w *watch) *watchedInput {
	if telling, is := i.(interface{ watchedBy(*watch) }); is {
		telling.watchedBy(w)
	}
	return &watchedInput{i, w}
}

func (i *watchedInput) Connect(ctx context.Context) error {
	began := time.Now()
	err := i.Input.Connect(ctx)
	if !errors.Is(err, service.ErrEndOfInput) {
		i.watch.sawAny(ctx, began, err)
	}
	return err
}

// A watchedProcessor is a processor that is watched.
type watchedProcessor struct {
	service.Processor
	watch *watch
}

func (p *watchedProcessor) Process(ctx context.Context, m *service.Message) (service.MessageBatch, error) {
	began := time.Now()
	batch, err := p.Processor.Process(ctx, m)
	p.watch.saw(ctx, began, err)
	return batch, err
}

// A watchedOutput is an output that is watched.
type watchedOutput struct {
	service.Output
	watch *watch
}

func (o *watchedOutput) Connect(ctx context.Context) error {
	began := time.Now()
	err := o.Output.Connect(ctx)
	o.watch.sawAny(ctx, began, err)
	return err
}

func (o *watchedOutput) Write(ctx context.Context, m *service.Message) error {
	began := time.Now()
	err := o.Output.Write(ctx, m)
	if m.GetError() == nil { // otherwise it was not used
		o.watch.saw(ctx, began, err)
	}
	return err
}
