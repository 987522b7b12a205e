package inference

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"tkit/registry"
)

// ManagerOptions configure a manager.
type ManagerOptions struct {
	Policy     VersionPolicy // nil: PreserveAvailability
	Loads      int           // versions loading at a time; 0: 2
	FirstRetry time.Duration // delay after a first failed load; 0: a second
	LastRetry  time.Duration // longest delay; 0: a minute
	Metrics    *Metrics
	Log        *slog.Logger
	// Permit decides, once for each request, whether it may use a version; nil
	// permits all.
	Permit    func(ctx context.Context, v Version) error
	Published func() // called by Run after every change that requests can see; nil: nothing
}

// A Manager keeps loaded the versions that its source wants. Requests get a servable
// by Acquire, and it stays loaded while they hold it.
//
// The goroutine of Run owns the state and decides what to load. Requests read the
// view that it publishes and never wait for it.
type Manager struct {
	source  Source
	loader  *Loader
	options ManagerOptions
	view    atomic.Pointer[view]

	// Owned by Run:
	started bool // the source was read
	models  map[string]*model
	tasks   int // loads and unloads in progress
	events  chan func()
	slots   semaphore // loads in progress
	// refresh is when to ask the source again after it failed; zero: never.
	refresh time.Time
}

// A model is the manager's state of one model.
type model struct {
	aspiration Aspiration
	versions   map[int]*version
	routes     map[string]int
}

type version struct {
	state    State
	handle   *Handle // while Available
	failures int
	err      error     // of the last load
	retry    time.Time // when the failed load may be tried again
}

// NewManager makes a manager. Nothing loads until Run.
func NewManager(source Source, loader *Loader, o ManagerOptions) *Manager {
	if o.Policy == nil {
		o.Policy = PreserveAvailability
	}
	if o.Loads == 0 {
		o.Loads = 2
	}
	if o.FirstRetry == 0 {
		o.FirstRetry = time.Second
	}
	if o.LastRetry == 0 {
		o.LastRetry = time.Minute
	}
	m := &Manager{
		source: source, loader: loader, options: o, models: map[string]*model{},
		events: make(chan func()), slots: make(semaphore, o.Loads),
	}
	m.view.Store(&view{})
	return m
}

// Run follows the source until ctx ends, then unloads everything: requests in
// flight finish first. It is called once.
func (m *Manager) Run(ctx context.Context) {
	loading, stopLoading := context.WithCancel(ctx)
	defer stopLoading()
	changes := m.source.Changes(ctx)
	m.aspire(ctx)
	for {
		wake := m.act(loading)
		timer := time.NewTimer(wake)
		select {
		case <-ctx.Done():
			timer.Stop()
			m.unloadAll()
			return
		case <-changes:
			m.aspire(ctx)
		case happened := <-m.events:
			happened()
		case now := <-timer.C:
			if !m.refresh.IsZero() && !now.Before(m.refresh) {
				m.aspire(ctx)
			}
		}
		timer.Stop()
	}
}

// aspire asks the source which versions it wants now.
func (m *Manager) aspire(ctx context.Context) {
	aspirations, err := m.source.Aspirations(ctx)
	if err != nil {
		if ctx.Err() == nil {
			m.options.Log.ErrorContext(ctx, "cannot find out what to serve; loaded versions stay in use", "error", err)
		}
		m.refresh = time.Now().Add(m.options.FirstRetry)
		return
	}
	m.refresh, m.started = time.Time{}, true
	m.setAspirations(aspirations)
}

func (m *Manager) setAspirations(aspirations []Aspiration) {
	for _, known := range m.models {
		known.aspiration = Aspiration{Model: known.aspiration.Model}
	}
	for _, a := range aspirations {
		if m.models[a.Model] == nil {
			m.models[a.Model] = &model{versions: map[int]*version{}}
		}
		m.models[a.Model].aspiration = a
	}
}

// act updates routes and view, executes the decisions of the policy, and
// returns the time until the next one is due.
func (m *Manager) act(loading context.Context) time.Duration {
	now := time.Now()
	wake := time.Hour
	until := func(t time.Time) {
		if !t.IsZero() {
			wake = min(wake, max(0, time.Until(t)))
		}
	}
	var loads, unloads []registry.Ref
	for name, known := range m.models {
		known.forget()
		known.routes = route(known.aspiration.Labels, known.routes, known.available)
		states := known.states()
		for _, a := range m.options.Policy(states, now) {
			if a.Kind == Load {
				loads = append(loads, registry.Ref{Model: name, Version: a.Version})
			} else {
				unloads = append(unloads, registry.Ref{Model: name, Version: a.Version})
			}
		}
		until(nextRetry(states, now))
		if len(known.versions) == 0 && len(known.aspiration.Versions) == 0 {
			delete(m.models, name)
		}
	}
	until(m.refresh)
	for _, ref := range unloads {
		m.models[ref.Model].versions[ref.Version].state = Unloading
	}
	for _, ref := range loads {
		m.begin(ref)
	}
	m.publish()
	// Versions are unloaded only now, because new requests no longer find them.
	for _, ref := range unloads {
		m.unload(ref)
	}
	for _, ref := range loads {
		m.load(loading, ref)
	}
	return wake
}

// begin puts a version into its first state, for the first or another attempt.
func (m *Manager) begin(ref registry.Ref) {
	known := m.models[ref.Model]
	v := known.versions[ref.Version]
	if v == nil {
		v = &version{}
		known.versions[ref.Version] = v
	}
	v.state = Start
}

// load loads a version in the background.
func (m *Manager) load(ctx context.Context, ref registry.Ref) {
	m.task(func() func() {
		if err := m.slots.acquire(ctx); err != nil {
			return func() { m.loaded(ctx, ref, nil, err, 0) }
		}
		defer m.slots.release()
		m.events <- func() { m.at(ref).state = Loading }
		begun := time.Now()
		handle, err := m.loader.Load(ctx, ref.Model, ref.Version)
		return func() { m.loaded(ctx, ref, handle, err, time.Since(begun)) }
	})
}

func (m *Manager) loaded(ctx context.Context, ref registry.Ref, handle *Handle, err error, took time.Duration) {
	v := m.at(ref)
	if err == nil {
		v.state, v.handle, v.failures, v.err = Available, handle, 0, nil
		m.options.Metrics.loads.WithLabelValues(ref.Model, "ok").Inc()
		m.options.Log.Info("loaded", "model", ref.Model, "version", ref.Version, "took", took.Round(time.Millisecond))
		return
	}
	if ctx.Err() != nil { // the server stops
		v.state = End
		return
	}
	v.failures++
	rest := backOff(v.failures, m.options.FirstRetry, m.options.LastRetry)
	v.state, v.err, v.retry = End, fmt.Errorf("load %s: %w", ref, err), time.Now().Add(rest)
	m.options.Metrics.loads.WithLabelValues(ref.Model, "failed").Inc()
	m.options.Log.Error("cannot load; the previous version stays in use", "model", ref.Model, "version", ref.Version,
		"error", err, "failures", v.failures, "retry_in", rest)
}

// unload frees a version when the requests that use it have ended.
func (m *Manager) unload(ref registry.Ref) {
	handle := m.at(ref).handle
	m.at(ref).handle = nil
	m.task(func() func() {
		err := handle.Close()
		return func() {
			m.at(ref).state = End
			if err != nil {
				m.options.Log.Error("unloaded with an error", "model", ref.Model, "version", ref.Version, "error", err)
				return
			}
			m.options.Log.Info("unloaded", "model", ref.Model, "version", ref.Version)
		}
	})
}

// task runs work in a new goroutine, and the function that it returns in the
// goroutine of Run.
func (m *Manager) task(work func() (happened func())) {
	m.tasks++
	go func() {
		happened := work()
		m.events <- func() {
			m.tasks--
			happened()
		}
	}()
}

// unloadAll unloads everything. Loads have been cancelled, and requests in flight
// finish.
func (m *Manager) unloadAll() {
	m.setAspirations(nil)
	for {
		m.act(context.Background())
		if m.tasks == 0 {
			return
		}
		(<-m.events)()
	}
}

func (m *Manager) at(ref registry.Ref) *version { return m.models[ref.Model].versions[ref.Version] }

// available reports whether a version is available.
func (k *model) available(v int) bool {
	known := k.versions[v]
	return known != nil && known.state == Available
}

// forget removes versions that have ended and are not wanted.
func (k *model) forget() {
	maps.DeleteFunc(k.versions, func(v int, known *version) bool {
		return known.state == End && !slices.Contains(k.aspiration.Versions, v)
	})
}

// states returns the input of the policy: every version that is wanted or
// known.
func (k *model) states() []VersionState {
	routed := map[int]bool{}
	for _, v := range k.routes {
		routed[v] = true
	}
	var states []VersionState
	for v, known := range k.versions {
		states = append(states, VersionState{
			Version: v, Wanted: slices.Contains(k.aspiration.Versions, v), Routed: routed[v],
			Known: true, State: known.state, RetryAt: known.retry,
		})
	}
	for _, v := range k.aspiration.Versions {
		if k.versions[v] == nil {
			states = append(states, VersionState{Version: v, Wanted: true})
		}
	}
	slices.SortFunc(states, func(a, b VersionState) int { return a.Version - b.Version })
	return states
}

// publish makes the current state visible to requests.
func (m *Manager) publish() {
	before := m.view.Load()
	now := newView(m.models)
	now.started = m.started
	now.ready = ready(before.ready, now.started, now.models)
	m.view.Store(now)
	for _, change := range stateChanges(before, now) {
		m.options.Metrics.state(change.ref.Model, strconv.Itoa(change.ref.Version), change.from, change.to)
	}
	for name := range before.models {
		if _, known := now.models[name]; !known {
			m.options.Metrics.forget(name)
		}
	}
	for name, one := range now.models {
		m.options.Metrics.readiness(name, len(one.readiness.missing), len(one.readiness.failing))
	}
	if m.options.Published != nil {
		m.options.Published()
	}
}
