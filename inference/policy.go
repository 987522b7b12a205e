package inference

import (
	"slices"
	"time"
)

// State is where a version stands in its life as a servable. The names and
// their order are TensorFlow Serving's.
type State int

// A version goes through the states in this order; a failed load goes from
// Loading to End with an error, and from there to Start again when it is
// retried.
const (
	Start     State = iota // wanted, waiting for its turn to load
	Loading                // being loaded and warmed up
	Available              // answering
	Unloading              // takes no new request; those in flight finish
	End                    // not loaded
)

var stateNames = [...]string{"START", "LOADING", "AVAILABLE", "UNLOADING", "END"}

// String gives TensorFlow Serving's name of the state.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "UNKNOWN"
	}
	return stateNames[s]
}

// VersionState is what a [VersionPolicy] knows of one version of a model.
type VersionState struct {
	Version int
	// Wanted: the source wants it available.
	Wanted bool
	// Routed: requests for some label are answered by it now.
	Routed bool
	// Known: the manager has an entry for it, in State. A wanted version that
	// was never loaded is not known.
	Known bool
	State State
	// RetryAt is when a failed version (End) may be tried again.
	RetryAt time.Time
}

// ActionKind says what to do with a version.
type ActionKind int

// The two things that can be done.
const (
	Load ActionKind = iota
	Unload
)

// String names the action for logs.
func (k ActionKind) String() string {
	if k == Load {
		return "load"
	}
	return "unload"
}

// Action is one decision of a [VersionPolicy].
type Action struct {
	Kind    ActionKind
	Version int
}

// A VersionPolicy decides what to do next with the versions of one model. It
// is a pure function; the manager calls it whenever a state, the source's
// wishes or the time changes, and carries out all that it answers.
type VersionPolicy func(versions []VersionState, now time.Time) []Action

// PreserveAvailability loads before it unloads: a version that is no longer
// wanted goes only when no label is answered by it any more, that is, when
// what replaces it is available. For a while both are in memory; what they
// share (the trunk, usually) is there once. Newer versions load first.
func PreserveAvailability(versions []VersionState, now time.Time) []Action {
	var actions []Action
	for _, v := range versions {
		switch {
		case v.Wanted && (!v.Known || v.State == End && !now.Before(v.RetryAt)):
			actions = append(actions, Action{Load, v.Version})
		case !v.Wanted && !v.Routed && v.Known && v.State == Available:
			actions = append(actions, Action{Unload, v.Version})
		}
	}
	slices.SortFunc(actions, func(a, b Action) int {
		if a.Kind != b.Kind {
			return int(b.Kind) - int(a.Kind) // unloads first: they free memory
		}
		return b.Version - a.Version
	})
	return actions
}

// nextRetry is the earliest moment at which the policy could decide otherwise
// with no event in between; zero if there is none.
func nextRetry(versions []VersionState, now time.Time) time.Time {
	var next time.Time
	for _, v := range versions {
		if v.Wanted && v.Known && v.State == End && v.RetryAt.After(now) &&
			(next.IsZero() || v.RetryAt.Before(next)) {
			next = v.RetryAt
		}
	}
	return next
}

// backOff is how long a version rests after its nth failed load (n from 1):
// first, then twice as long each time, up to most.
func backOff(n int, first, most time.Duration) time.Duration {
	d := first
	for ; n > 1 && d < most; n-- {
		d *= 2
	}
	return min(d, most)
}
