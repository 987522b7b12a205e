package inference

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tkit/internal/pipeline"
)

// Reason is the machine-readable cause of a failed request. It is the same in
// every front end; each maps it to the status codes of its protocol.
type Reason string

// The reasons. The last seven are those of a [pipeline.ImageError]. Servers add
// reasons of their own.
const (
	NotFound    Reason = "not found"         // no such model, version or label here
	Unavailable Reason = "unavailable"       // known, but not available now; temporary
	Overloaded  Reason = "overloaded"        // the queue is full; retry later
	Timeout     Reason = "deadline exceeded" // the request's deadline passed
	Cancelled   Reason = "cancelled"         // the caller disconnected
	BadRequest  Reason = "bad request"       // the request is not valid
	TooLarge    Reason = "too large"         // the request exceeds a limit of the server
	Internal    Reason = "internal"          // a bug or a failing machine

	EmptyImage       = Reason(pipeline.Empty)
	UnsupportedImage = Reason(pipeline.Unsupported)
	TruncatedImage   = Reason(pipeline.Truncated)
	CorruptImage     = Reason(pipeline.Corrupt)
	RefusedImage     = Reason(pipeline.Refused) // by a plugin
	TooManyPixels    = Reason(pipeline.TooManyPixels)
	TooCostlyImage   = Reason(pipeline.TooCostly)
)

// Error is a failed request with its reason.
type Error struct {
	Reason Reason
	Err    error
	// RetryAfter is set with Overloaded: how long to wait before the next
	// attempt.
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

// ReasonOf returns the reason of an error, Internal if it has none.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	if e, ok := errors.AsType[*pipeline.ImageError](err); ok {
		if e.Reason == pipeline.PluginFault {
			return Internal // the image may be valid
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
