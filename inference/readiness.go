package inference

import (
	"maps"
	"slices"

	"tkit/registry"
)

// Readiness says which of the wanted versions a manager has loaded.
type Readiness struct {
	// Started is true once the source was read. Until then the wanted versions are
	// unknown.
	Started bool
	// Ready: requests can be sent. It becomes true when each wanted version is
	// available or counts as broken after repeated failures, and at least one is
	// available or none is wanted. It then stays true: a new model or a broken
	// version must not stop requests for the others.
	Ready bool
	// Missing are the wanted labels and versions that are not available, as
	// refs.
	Missing []string
	// Failing are the wanted versions whose last load failed, as refs. An older
	// version may be in use for the label of such a version.
	Failing []string
}

// Complete reports whether everything wanted is available and nothing fails.
func (r Readiness) Complete() bool {
	return r.Started && len(r.Missing) == 0 && len(r.Failing) == 0
}

// broken is the number of failed loads in a row after which a version no longer
// keeps a server from being ready. A single failure may be temporary.
const broken = 3

// A modelReadiness is one model's part in a Readiness.
type modelReadiness struct {
	missing, failing []string
	waiting          bool // for a version that may yet load
	answers          bool // some version does
}

func (k *model) readiness() modelReadiness {
	r := modelReadiness{missing: missing(k.aspiration, k.routes, k.available)}
	for _, n := range k.aspiration.Versions {
		v := k.versions[n]
		r.waiting = r.waiting || v == nil || v.state != Available && v.failures < broken
		if v != nil && v.err != nil {
			r.failing = append(r.failing, registry.Ref{Model: k.aspiration.Model, Version: n}.String())
		}
	}
	for _, v := range k.versions {
		r.answers = r.answers || v.state == Available
	}
	return r
}

// ready reports whether a server is ready now, given whether it was before.
func ready(before, started bool, models map[string]modelView) bool {
	if before || !started {
		return before
	}
	answers := len(models) == 0
	for _, m := range models {
		if m.readiness.waiting {
			return false
		}
		answers = answers || m.readiness.answers
	}
	return answers
}

// Readiness returns the manager's readiness.
func (m *Manager) Readiness() Readiness {
	v := m.view.Load()
	r := Readiness{Started: v.started, Ready: v.ready}
	for _, name := range slices.Sorted(maps.Keys(v.models)) {
		r.Missing = append(r.Missing, v.models[name].readiness.missing...)
		r.Failing = append(r.Failing, v.models[name].readiness.failing...)
	}
	return r
}
