package tensorflow

// #include <stdlib.h>
// #include "tensorflow/c/c_api.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
)

// Code is one of TensorFlow's canonical error codes (absl::StatusCode).
type Code int

const (
	OK                 Code = 0
	Cancelled          Code = 1
	Unknown            Code = 2
	InvalidArgument    Code = 3
	DeadlineExceeded   Code = 4
	NotFound           Code = 5
	AlreadyExists      Code = 6
	PermissionDenied   Code = 7
	ResourceExhausted  Code = 8
	FailedPrecondition Code = 9
	Aborted            Code = 10
	OutOfRange         Code = 11
	Unimplemented      Code = 12
	Internal           Code = 13
	Unavailable        Code = 14
	DataLoss           Code = 15
	Unauthenticated    Code = 16
)

var codes = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
	"ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
	"UNAUTHENTICATED",
}

// String returns the code's name in TensorFlow, like "INVALID_ARGUMENT".
func (c Code) String() string {
	if c >= 0 && int(c) < len(codes) {
		return codes[c]
	}
	return fmt.Sprintf("CODE_%d", int(c))
}

// Error is a failure reported by TensorFlow, or detected by this package before
// the call, with the code that TensorFlow would have used.
type Error struct {
	Code    Code
	Op      string // the operation: "import graph", "new session", "run", ...
	Message string
}

func (e *Error) Error() string {
	return fmt.Sprintf("tensorflow: %s: %s: %s", e.Op, e.Code, e.Message)
}

// Is makes a run that exceeded its deadline match context.DeadlineExceeded.
func (e *Error) Is(target error) bool {
	return e.Code == DeadlineExceeded && target == context.DeadlineExceeded
}

// ErrClosed is wrapped by errors about a closed tensor, graph or session.
var ErrClosed = errors.New("closed")

// status holds the outcome of one call to the C API.
type status struct{ c *C.TF_Status }

func newStatus() status { return status{C.TF_NewStatus()} }

func (s status) delete() { C.TF_DeleteStatus(s.c) }

// err returns nil if the call succeeded.
func (s status) err(op string) error {
	code := Code(C.TF_GetCode(s.c))
	if code == OK {
		return nil
	}
	return &Error{Code: code, Op: op, Message: C.GoString(C.TF_Message(s.c))}
}

func invalid(op, format string, args ...any) error {
	return &Error{Code: InvalidArgument, Op: op, Message: fmt.Sprintf(format, args...)}
}
