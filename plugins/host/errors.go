package host

import (
	"errors"
	"fmt"
	"time"
)

// ErrReplaced says that an executable is not the one that was installed.
var ErrReplaced = errors.New("the executable was replaced")

// ErrClosed says that a plugin was used after its Close.
var ErrClosed = errors.New("the plugin is closed")

// A ContractError is a plugin that speaks another version of the contract.
type ContractError struct {
	Plugin, Host int
}

func (e *ContractError) Error() string {
	return fmt.Sprintf("it was built against version %d of the plugin contract, this tkit speaks %d; build it with this tkit's SDK (`tkit plugins new` shows how)",
		e.Plugin, e.Host)
}

// A StartError is a plugin whose process does not come up.
type StartError struct {
	Err error
	// Said is the last that it printed.
	Said string
}

func (e *StartError) Error() string { return withSaid("it does not start: "+e.Err.Error(), e.Said) }
func (e *StartError) Unwrap() error { return e.Err }

// A CrashError is a batch at which the process of a plugin ended, twice.
type CrashError struct {
	How  string // the exit status or signal
	Said string // the last that it printed
}

func (e *CrashError) Error() string {
	return withSaid("its process ended at the batch: "+e.How, e.Said)
}

// A TimeoutError is a batch that took longer than allowed; its process was ended.
type TimeoutError struct {
	After time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("it took longer than %v for a batch, so its process was ended", e.After)
}

// A Breach is an answer against the contract or the plugin's own description.
type Breach struct {
	What string
}

func (e *Breach) Error() string { return "it breaks its promise: " + e.What }

// A ProcessError is what the plugin itself says went wrong.
type ProcessError struct {
	Message string
}

func (e *ProcessError) Error() string { return "it says: " + e.Message }

// An UnavailableError is a plugin that has failed so often that it is left
// alone for a while.
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
