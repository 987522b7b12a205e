// Package failure says what a failure of a pipeline means for the image: whether
// another attempt can help.
package failure

import (
	"errors"
	"math/rand/v2"
	"time"
)

// A Kind says what to do after a failure.
type Kind int

const (
	// Unknown failures get a few attempts.
	Unknown Kind = iota
	// Lasting failures are those of the image itself: no further attempt helps.
	Lasting
	// An Outage is a failure of a service or a disk, not of the image: attempts
	// go on until one succeeds.
	Outage
)

// An Error is a failure of a stage of a pipeline.
type Error struct {
	Stage string // such as "classify"
	Kind  Kind
	Err   error
}

func (e *Error) Error() string { return e.Stage + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of an error, Unknown if it has none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Unknown
}

// StageOf returns the stage that failed, or "pipeline" if the error does not say.
func StageOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Stage
	}
	return "pipeline"
}

// CauseOf returns the text of an error without what the engine and other packages have
// added to it.
func CauseOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// The delays before the second attempt and the longest ones.
const (
	firstDelay = 100 * time.Millisecond
	lastDelay  = 30 * time.Second
)

// Delay returns how long to wait after a number of attempts, from 1. It doubles
// with each attempt up to half a minute. A random part keeps images that failed
// together from being tried together again.
func Delay(attempts int) time.Duration {
	d := lastDelay
	if shift := attempts - 1; shift < 9 {
		d = min(d, firstDelay<<shift)
	}
	return d/2 + rand.N(d/2+1)
}
