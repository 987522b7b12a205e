package inference

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tkit/internal/printable"
	"tkit/registry"
)

// A view is the manager's state as requests see it. It is immutable once it is
// published.
type view struct {
	started bool // the source was read
	ready   bool
	models  map[string]modelView
}

type modelView struct {
	status    ModelStatus
	wanted    Aspiration
	handles   map[int]*Handle // those that are available
	readiness modelReadiness
}

// ModelStatus is the state of the versions of a model.
type ModelStatus struct {
	Model    string
	Labels   map[string]int  // the version that each label is routed to
	Versions []VersionStatus // the newest first, as TensorFlow Serving lists them
}

// VersionStatus is the state of a version. Err is the error of the last attempt to
// load it, until one succeeds. It may contain paths of the server: clients get
// Trouble instead.
type VersionStatus struct {
	Version int
	State   State
	Err     error
}

// longestTrouble is the maximum length of a load error that clients get, in
// bytes.
const longestTrouble = 1000

// Trouble returns the reason for a failed load that clients get, "" if the last
// attempt succeeded.
func (v VersionStatus) Trouble() string {
	if v.Err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](v.Err); ok && e.Reason != Internal {
		return printable.Line(e.Error(), longestTrouble) // its text is for clients
	}
	return "it cannot be loaded; the server's log says why"
}

func newView(models map[string]*model) *view {
	v := &view{models: make(map[string]modelView, len(models))}
	for name, known := range models {
		one := modelView{
			status:    ModelStatus{Model: name, Labels: maps.Clone(known.routes)},
			wanted:    known.aspiration,
			handles:   map[int]*Handle{},
			readiness: known.readiness(),
		}
		for _, n := range slices.Backward(slices.Sorted(maps.Keys(known.versions))) {
			one.status.Versions = append(one.status.Versions, VersionStatus{n, known.versions[n].state, known.versions[n].err})
			if known.available(n) {
				one.handles[n] = known.versions[n].handle
			}
		}
		v.models[name] = one
	}
	return v
}

// find resolves a reference to a servable.
func (v *view) find(ref registry.Ref) (*Handle, error) {
	m, ok := v.models[ref.Model]
	if !ok {
		if !v.started {
			return nil, &Error{Reason: Unavailable, Err: fmt.Errorf("%s: the server is starting", ref)}
		}
		return nil, &Error{Reason: NotFound, Err: fmt.Errorf("model %s is not served here", ref.Model)}
	}
	n, err := resolve(ref, m.status.Labels, slices.Sorted(maps.Keys(m.handles)))
	if err == nil {
		return m.handles[n], nil
	}
	if m.wanted.includes(ref) {
		return nil, &Error{Reason: Unavailable, Err: fmt.Errorf("%s is not loaded yet%s", ref, m.trouble())}
	}
	return nil, err
}

// trouble returns the error of a version that could not be loaded, as part of a
// message.
func (m modelView) trouble() string {
	for _, v := range m.status.Versions {
		if v.Err != nil {
			return ": " + v.Trouble()
		}
	}
	return ""
}

// A stateChange is a version's change from one published state to the next; "" means
// that there is no such version.
type stateChange struct {
	ref      registry.Ref
	from, to string
}

func stateChanges(before, now *view) []stateChange {
	changes := map[registry.Ref]stateChange{}
	for name, m := range before.models {
		for _, v := range m.status.Versions {
			ref := registry.Ref{Model: name, Version: v.Version}
			changes[ref] = stateChange{ref: ref, from: v.State.String()}
		}
	}
	for name, m := range now.models {
		for _, v := range m.status.Versions {
			ref := registry.Ref{Model: name, Version: v.Version}
			changes[ref] = stateChange{ref: ref, from: changes[ref].from, to: v.State.String()}
		}
	}
	maps.DeleteFunc(changes, func(_ registry.Ref, c stateChange) bool { return c.from == c.to })
	return slices.Collect(maps.Values(changes))
}

// Acquire finds the servable for a reference and holds it for the caller, who
// releases it. The error's reason is NotFound, Unavailable if the version is
// wanted but not loaded yet, or the reason of the manager's Permit, which gets
// ctx.
func (m *Manager) Acquire(ctx context.Context, ref registry.Ref) (*Handle, error) {
	for {
		h, err := m.view.Load().find(ref)
		if err != nil {
			return nil, err
		}
		if m.options.Permit != nil {
			if err := m.options.Permit(ctx, h.Version); err != nil {
				return nil, err
			}
		}
		if h.acquire() {
			return h, nil
		}
		// It was unloaded in the meantime; a newer view has been published.
	}
}

// Models returns the status of every model, by name.
func (m *Manager) Models() []ModelStatus {
	v := m.view.Load()
	all := make([]ModelStatus, 0, len(v.models))
	for _, name := range slices.Sorted(maps.Keys(v.models)) {
		all = append(all, v.models[name].status)
	}
	return all
}

// Status returns the status of the model of a reference, or of one version if
// the reference names a version or a label. The error's reason is NotFound.
func (m *Manager) Status(ref registry.Ref) (ModelStatus, error) {
	known, ok := m.view.Load().models[ref.Model]
	if !ok {
		return ModelStatus{}, &Error{Reason: NotFound, Err: fmt.Errorf("model %s is not served here", ref.Model)}
	}
	status := known.status
	if ref.Version == 0 && ref.Alias == "" {
		return status, nil
	}
	n := ref.Version
	if n == 0 {
		n = status.Labels[ref.Alias]
	}
	for _, v := range status.Versions {
		if v.Version == n {
			status.Versions = []VersionStatus{v}
			return status, nil
		}
	}
	return ModelStatus{}, &Error{Reason: NotFound, Err: fmt.Errorf("%s is not served here", ref)}
}
