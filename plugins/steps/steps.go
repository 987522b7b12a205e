// Package steps does the plugin steps of pipelines with the plugins that are
// installed.
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

// Steps starts plugins when pipelines want them, and ends them when none does
// any more. Pipelines that name the same executable share its processes.
type Steps struct {
	store  store.Store
	config host.Config

	mu      sync.Mutex
	open    map[string]*entry // by digest
	unequal map[string]bool   // plugins that have ended, and lied about being deterministic
}

var _ pipeline.Plugins = (*Steps)(nil)

// entry is a plugin that is open, or being opened by the one who holds it.
type entry struct {
	opening sync.Mutex
	plugin  *host.Plugin
	users   int // guarded by Steps.mu
}

// New starts plugins of a store as a configuration says; where executables may
// lie is the store's to say.
func New(s store.Store, c host.Config) *Steps {
	return &Steps{store: s, config: c, open: map[string]*entry{}, unequal: map[string]bool{}}
}

// Pin completes a step by the plugin that is installed.
func (s *Steps) Pin(step preprocessing.Plugin) (preprocessing.Plugin, error) {
	return s.store.Pin(step)
}

// Deterministic says whether every plugin of a pinned preprocessing promises to
// be: what was made of an image may then be kept instead of being made again.
func (s *Steps) Deterministic(p preprocessing.Preprocessing) (bool, error) {
	for _, step := range p.Plugins() {
		i, err := s.store.Find(step.Name, step.Version, step.Digest)
		if err != nil || !i.Deterministic {
			return false, err
		}
	}
	return true, nil
}

// Unequal names the plugins that were caught answering a batch differently the
// second time, though they promise to be deterministic.
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

// Open gives what does a step. It is an io.Closer.
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

// use starts the plugin, or joins those who use it.
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

// fits says whether what a plugin takes may be what stands at its place: a
// side that is not known beforehand is judged by image.
func fits(wants plugins.Form, has preprocessing.Form) error {
	if wants.Kind != has.Kind {
		return fmt.Errorf("it takes %s images, and what stands before it gives %s: %s", wants.Kind, has.Kind, places[wants.Kind])
	}
	for i, side := range wants.Shape {
		if side != plugins.Any && has.Shape[i] > 0 && side != has.Shape[i] {
			return fmt.Errorf("it takes images of %s, and what stands before it gives %v", wants, has.Shape)
		}
	}
	return nil
}

// places are where a plugin finds what it takes.
var places = map[plugins.Kind]string{
	plugins.Encoded: "it stands before the decode",
	plugins.Uint8:   "it stands straight after the decode",
	plugins.Float32: "it stands after a resize, or another step that gives float32",
}

// opened is a step that is done by a plugin.
type opened struct {
	step  *host.Step
	leave func() error
}

// Process has a batch processed. The plugin's word on an image, and its answer
// where that cannot be used, are an *pipeline.ImageError: one image of a batch
// is set aside, and not the batch's whole work.
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

// Close lets the plugin end, if no other step needs it.
func (o *opened) Close() error { return o.leave() }
