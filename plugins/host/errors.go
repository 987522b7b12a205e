package host

import (
	"errors"
	"fmt"
	"time"
)

// ErrReplaced means that an executable differs from the installed one.
var ErrReplaced = errors.New("the executable was replaced")

// ErrClosed means that a plugin was used after Close.
var ErrClosed = errors.New("the plugin is closed")

// A ContractError means that a plugin uses another version of the contract.
type ContractError struct {
	Plugin, Host int
}

func (e *ContractError) Error() string {
	return fmt.Sprintf("it was built against version %d of the plugin contract, but this tkit supports %d; build it with the SDK of this tkit",
		e.Plugin, e.Host)
}

// A StartError means that a plugin's process did not start.
type StartError struct {
	Err error
	// Said is its last output.
	Said string
}

func (e *StartError) Error() string { return withSaid("it does not start: "+e.Err.Error(), e.Said) }
func (e *StartError) Unwrap() error { return e.Err }

// A CrashError means that a plugin's process ended during a batch, twice.
type CrashError struct {
	How  string // the exit status or signal
	Said string // its last output
}

func (e *CrashError) Error() string {
	return withSaid("its process ended during the batch: "+e.How, e.Said)
}

// A TimeoutError means that a batch took too long; its process was killed.
type TimeoutError struct {
	After time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("it took longer than %v for a batch, so its process was killed", e.After)
}

// A Breach is a violation of the contract or of the plugin's own description.
type Breach struct {
	What string
}

func (e *Breach) Error() string { return "it violates its contract: " + e.What }

// A ProcessError is an error reported by the plugin.
type ProcessError struct {
	Message string
}

func (e *ProcessError) Error() string { return "it reports: " + e.Message }

// An UnavailableError means that a plugin has failed so often that it is not
// started for a while.
type UnavailableError struct {
	Failures int
	Until    time.Time
	Last     error
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("it has failed %d times in a row and is not started again before %s; last: %v",
		e.Failures, e.Until.Format(time.TimeOnly), e.Last)
}

func (e *UnavailableError) Unwrap() error { return e.Last }

func withSaid(what, said string) string {
	if said == "" {
		return what
	}
	return what + "; it printed: " + said
}
