package rpc

import (
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"tkit/serve"
)

// code is gRPC's code for a reason.
func code(r serve.Reason) codes.Code {
	switch r {
	case serve.NotFound:
		return codes.NotFound
	case serve.Unauthenticated:
		return codes.Unauthenticated
	case serve.Forbidden:
		return codes.PermissionDenied
	case serve.Unavailable:
		return codes.Unavailable
	case serve.Overloaded:
		return codes.ResourceExhausted
	case serve.Timeout:
		return codes.DeadlineExceeded
	case serve.Cancelled:
		return codes.Canceled
	case serve.BadRequest, serve.TooLarge, serve.EmptyImage, serve.UnsupportedImage,
		serve.TruncatedImage, serve.CorruptImage, serve.RefusedImage, serve.TooManyPixels,
		serve.TooCostlyImage:
		return codes.InvalidArgument
	}
	return codes.Internal
}

// statusError gives an error gRPC's form. One that says when to come back
// carries that as a RetryInfo.
func statusError(err error) error {
	s := status.New(code(serve.ReasonOf(err)), err.Error())
	if e, ok := errors.AsType[*serve.Error](err); ok && e.RetryAfter > 0 {
		if with, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)}); err == nil {
			s = with
		}
	}
	return s.Err()
}
