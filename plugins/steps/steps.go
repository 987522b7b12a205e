// Package steps implements the plugin steps of pipelines with the installed
// plugins.
package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
	"tkit/plugins"
	"tkit/plugins/host"
	"tkit/plugins/store"
)

// Steps starts plugins on demand, and ends them when no pipeline uses them.
// Pipelines with the same executable share its processes.
type Steps struct {
	store  store.Store
	config host.Config

	mu      sync.Mutex
	open    map[string]*entry // by digest
	unequal map[string]bool   // ended plugins that were wrongly declared deterministic
}

var _ pipeline.Plugins = (*Steps)(nil)

// entry is a plugin that is open, or being opened by its first user.
type entry struct {
	opening sync.Mutex
	plugin  *host.Plugin
	users   int // guarded by Steps.mu
}

// New returns Steps for plugins of a store with a configuration; the store
// restricts the executables.
func New(s store.Store, c host.Config) *Steps {
	return &Steps{store: s, config: c, open: map[string]*entry{}, unequal: map[string]bool{}}
}

// Pin completes a step with the installed plugin.
func (s *Steps) Pin(step preprocessing.Plugin) (preprocessing.Plugin, error) {
	return s.store.Pin(step)
}

// Deterministic reports whether every plugin of a pinned preprocessing is
// declared deterministic: results may then be cached.
func (s *Steps) Deterministic(p preprocessing.Preprocessing) (bool, error) {
	for _, step := range p.Plugins() {
		i, err := s.store.Find(step.Name, step.Version, step.Digest)
		if err != nil || !i.Deterministic {
			return false, err
		}
	}
	return true, nil
}

// Unequal lists the plugins that returned different results for the same batch,
// though declared deterministic.
func (s *Steps) Unequal() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	caught := maps.Clone(s.unequal)
	for _, e := range s.open {
		if e.plugin != nil && e.plugin.Stats().Unequal > 0 {
			caught[e.plugin.Describe().String()] = true
		}
	}
	return slices.Sorted(maps.Keys(caught))
}

// Open returns the plugin for a step. It is an io.Closer.
func (s *Steps) Open(ctx context.Context, step preprocessing.Plugin, takes preprocessing.Form) (pipeline.Preprocessor, error) {
	installed, err := s.store.Find(step.Name, step.Version, step.Digest)
	if err != nil {
		return nil, err
	}
	e, err := s.use(ctx, installed)
	if err != nil {
		return nil, err
	}
	with, err := e.plugin.With(step.Config)
	if err == nil {
		if err = fits(installed.Takes, takes); err != nil {
			err = fmt.Errorf("plugin %s: %w", installed.Description, err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.leave(installed.Digest))
	}
	return &opened{step: with, leave: sync.OnceValue(func() error { return s.leave(installed.Digest) })}, nil
}

// use starts the plugin, or shares a running one.
func (s *Steps) use(ctx context.Context, i store.Installed) (*entry, error) {
	s.mu.Lock()
	e := s.open[i.Digest]
	if e == nil {
		e = &entry{}
		s.open[i.Digest] = e
	}
	e.users++
	s.mu.Unlock()

	e.opening.Lock()
	defer e.opening.Unlock()
	if e.plugin != nil {
		return e, nil
	}
	p, err := s.store.Open(ctx, i, s.config)
	if err != nil {
		return nil, errors.Join(err, s.leave(i.Digest))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.plugin = p
	return e, nil
}

// leave ends the plugin with its last user.
func (s *Steps) leave(digest string) error {
	s.mu.Lock()
	e := s.open[digest]
	if e.users--; e.users > 0 {
		s.mu.Unlock()
		return nil
	}
	delete(s.open, digest)
	if e.plugin != nil && e.plugin.Stats().Unequal > 0 {
		s.unequal[e.plugin.Describe().String()] = true
	}
	s.mu.Unlock()
	if e.plugin == nil {
		return nil
	}
	return e.plugin.Close()
}

// fits checks that a plugin takes the images at its position. Unknown sides are
// checked for each image.
func fits(wants plugins.Form, has preprocessing.Form) error {
	if wants.Kind != has.Kind {
		return fmt.Errorf("it takes %s images, but the step before it gives %s: %s", wants.Kind, has.Kind, places[wants.Kind])
	}
	for i, side := range wants.Shape {
		if side != plugins.Any && has.Shape[i] > 0 && side != has.Shape[i] {
			return fmt.Errorf("it takes images of %s, but the step before it gives %v", wants, has.Shape)
		}
	}
	return nil
}

// places says where to put a plugin in a pipeline, by the kind that it takes.
var places = map[plugins.Kind]string{
	plugins.Encoded: "put it before the decode",
	plugins.Uint8:   "put it directly after the decode",
	plugins.Float32: "put it after a resize, or another step that gives float32",
}

// opened is a step with an open plugin.
type opened struct {
	step  *host.Step
	leave func() error
}

// Process processes a batch. An error of the plugin about an image, or an
// invalid result for it, is a *pipeline.ImageError: one image of a batch is set
// aside, not the whole batch.
func (o *opened) Process(ctx context.Context, in preprocessing.Batch) (preprocessing.Batch, error) {
	out, err := o.step.Process(ctx, in)
	if refused := (*plugins.ImageError)(nil); errors.As(err, &refused) {
		return out, &pipeline.ImageError{Reason: pipeline.Refused, Err: errors.New(refused.Reason)}
	}
	if breach := (*host.Breach)(nil); errors.As(err, &breach) {
		return out, &pipeline.ImageError{Reason: pipeline.PluginFault, Err: breach}
	}
	return out, err
}

// Close ends the plugin if no other step uses it.
func (o *opened) Close() error { return o.leave() }
