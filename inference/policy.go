package inference

import (
	"slices"
	"time"
)

// State is the state of a version's life cycle. The names and their order are
// TensorFlow Serving's.
type State int

// A version goes through the states in this order; a failed load goes from
// Loading to End with an error, and from there to Start again when it is
// retried.
const (
	Start     State = iota // wanted, waiting for its turn to load
	Loading                // being loaded and warmed up
	Available              // available to requests
	Unloading              // takes no new requests; those in flight finish
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

// VersionState is the state of one version of a model, as input of a
// [VersionPolicy].
type VersionState struct {
	Version int
	// Wanted: the source wants it available.
	Wanted bool
	// Routed: requests for some label are routed to it now.
	Routed bool
	// Known: the manager has an entry for it, in State. A wanted version that
	// was never loaded is not known.
	Known bool
	State State
	// RetryAt is when a failed version (End) may be tried again.
	RetryAt time.Time
}

// ActionKind is what to do with a version.
type ActionKind int

// The two kinds of actions.
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

// A VersionPolicy decides what to do next with the versions of one model. It is
// a pure function. The manager calls it whenever a state or the source's
// aspirations change or a retry is due, and carries out all actions that it
// returns.
type VersionPolicy func(versions []VersionState, now time.Time) []Action

// PreserveAvailability loads before it unloads: a version that is no longer
// wanted is unloaded only when no label routes to it any more, that is, when its
// replacement is available. In the meantime both are in memory, except that
// shared parts, usually the trunk, are there once. Newer versions load first.
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

// nextRetry returns the earliest time at which the policy could decide differently
// without another event; zero if there is none.
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

// backOff returns the delay after the nth failed load of a version, n from 1.
// It begins with first and doubles each time, up to most.
func backOff(n int, first, most time.Duration) time.Duration {
	d := first
	for ; n > 1 && d < most; n-- {
		d *= 2
	}
	return min(d, most)
}
