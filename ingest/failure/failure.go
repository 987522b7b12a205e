// Package failure says what a failure of a pipeline means for the image: whether
// another attempt can help.
package failure

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
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

// KindOf returns the kind of an error. One that has none, as those of the engine's
// components, is an Outage if a connection has failed, and otherwise Unknown.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	if _, ok := errors.AsType[*net.OpError](err); ok && !isUnknownHost(err) {
		return Outage
	}
	return Unknown
}

// isUnknownHost reports whether a name of a host, which an image may give, does not
// exist.
func isUnknownHost(err error) bool {
	e, ok := errors.AsType[*net.DNSError](err)
	return ok && e.IsNotFound
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

// Persist repeats an attempt that has failed for the time being, until one succeeds, time
// has passed or ctx ends, and returns the error of the last. again says of an error
// whether another attempt may help, and how long to wait for it; 0 means Delay.
func Persist(ctx context.Context, within time.Duration, attempt func() error, again func(error) (wait time.Duration, may bool)) error {
	for end, attempts := time.Now().Add(within), 1; ; attempts++ {
		err := attempt()
		if err == nil {
			return nil
		}
		wait, may := again(err)
		if !may || time.Now().After(end) {
			return err
		}
		if wait == 0 {
			wait = Delay(attempts)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}
