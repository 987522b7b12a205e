package inference

import (
	"maps"
	"slices"
)

// Readiness is how far a manager is with what its source wants.
type Readiness struct {
	// Started: the source was read. Until then nothing is known to be wanted.
	Started bool
	// Ready: requests may come. It begins when each wanted version answers or
	// has failed to load often enough to be taken for broken, and one of them
	// answers, or none is wanted. It then lasts: a model that comes later, or a
	// broken version that is promoted, is no reason to send nobody here for the
	// others.
	Ready bool
	// Missing are the labels and versions that nothing answers for, as refs.
	Missing []string
	// Failing are the wanted versions whose last load failed, as refs. For the
	// label of such a version an older one may answer.
	Failing []string
}

// Complete says whether all that is wanted answers, and nothing wanted fails.
func (r Readiness) Complete() bool {
	return r.Started && len(r.Missing) == 0 && len(r.Failing) == 0
}

// broken is how many loads of a version fail in a row before a server no longer
// waits for it to say that it is ready: one may be a passing fault.
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
			r.failing = append(r.failing, Ref{Model: k.aspiration.Model, Version: n}.String())
		}
	}
	for _, v := range k.versions {
		r.answers = r.answers || v.state == Available
	}
	return r
}

// ready decides whether a server that was ready or not before is so now.
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

// Readiness says how far the manager is.
func (m *Manager) Readiness() Readiness {
	v := m.view.Load()
	r := Readiness{Started: v.started, Ready: v.ready}
	for _, name := range slices.Sorted(maps.Keys(v.models)) {
		r.Missing = append(r.Missing, v.models[name].readiness.missing...)
		r.Failing = append(r.Failing, v.models[name].readiness.failing...)
	}
	return r
}
