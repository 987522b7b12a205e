package serve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tkit/internal/inference"
)

// Reason is the machine-readable cause of a failed request, the same in every
// front end; each maps it to its own status codes.
type Reason string

// The reasons. The last seven are those of an inference.ImageError.
const (
	NotFound    Reason = "not found"         // no such model, version or label here
	Unavailable Reason = "unavailable"       // known, but not answering now; may pass
	Overloaded  Reason = "overloaded"        // the queue is full; retry later
	Timeout     Reason = "deadline exceeded" // the request's deadline passed
	Cancelled   Reason = "cancelled"         // the caller went away
	BadRequest  Reason = "bad request"       // the request itself cannot be understood
	TooLarge    Reason = "too large"         // the request exceeds a limit of the server
	Internal    Reason = "internal"          // a defect or a failing machine

	UnsupportedMedia Reason = "unsupported media type" // an encoding or type of the body

	Unauthenticated Reason = "unauthenticated" // nobody knows who asks
	Forbidden       Reason = "forbidden"       // who asks may not

	EmptyImage       = Reason(inference.Empty)
	UnsupportedImage = Reason(inference.Unsupported)
	TruncatedImage   = Reason(inference.Truncated)
	CorruptImage     = Reason(inference.Corrupt)
	RefusedImage     = Reason(inference.Refused) // by a plugin
	TooManyPixels    = Reason(inference.TooManyPixels)
	TooCostlyImage   = Reason(inference.TooCostly)
)

// Error is a failed request with its reason.
type Error struct {
	Reason Reason
	Err    error
	// RetryAfter is set with Overloaded: when to come back.
	RetryAfter time.Duration
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// RowError says which row (image) of a request failed.
type RowError struct {
	Index int
	Err   error
}

func (e *RowError) Error() string { return fmt.Sprintf("image %d: %v", e.Index, e.Err) }
func (e *RowError) Unwrap() error { return e.Err }

// ReasonOf finds the reason of any error that serve returns. An error that
// says nothing about itself is Internal.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	if e, ok := errors.AsType[*inference.ImageError](err); ok {
		if e.Reason == inference.PluginFault {
			return Internal // the client's image may be as it should
		}
		return Reason(e.Reason)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Cancelled
	}
	return Internal
}
