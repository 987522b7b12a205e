package rpc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"tkit/inference"
	"tkit/serve"
)

// code is gRPC's code for a reason.
func code(r inference.Reason) codes.Code {
	switch r {
	case inference.NotFound:
		return codes.NotFound
	case serve.Unauthenticated:
		return codes.Unauthenticated
	case serve.Forbidden:
		return codes.PermissionDenied
	case inference.Unavailable:
		return codes.Unavailable
	case inference.Overloaded:
		return codes.ResourceExhausted
	case inference.Timeout:
		return codes.DeadlineExceeded
	case inference.Cancelled:
		return codes.Canceled
	case inference.BadRequest, inference.TooLarge, serve.UnsupportedMedia, inference.EmptyImage, inference.UnsupportedImage,
		inference.TruncatedImage, inference.CorruptImage, inference.RefusedImage, inference.TooManyPixels,
		inference.TooCostlyImage:
		return codes.InvalidArgument
	}
	return codes.Internal
}

// A coded error has a specific gRPC code.
type coded struct {
	code codes.Code
	err  *inference.Error
}

func newCoded(c codes.Code, r inference.Reason, format string, args ...any) error {
	return &coded{c, &inference.Error{Reason: r, Err: fmt.Errorf(format, args...)}}
}

func (e *coded) Error() string { return e.err.Error() }
func (e *coded) Unwrap() error { return e.err }

// statusOf returns the gRPC status of an error, with the text for clients. If
// the error has a RetryAfter, the status has a RetryInfo.
func statusOf(err error) *status.Status {
	if e, ok := errors.AsType[*coded](err); ok {
		return status.New(e.code, serve.Tell(e))
	}
	s := status.New(code(inference.ReasonOf(err)), serve.Tell(err))
	if e, ok := errors.AsType[*inference.Error](err); ok && e.RetryAfter > 0 {
		if with, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)}); err == nil {
			s = with
		}
	}
	return s
}

// refuse answers a call with only a status, in headers.
func refuse(w http.ResponseWriter, s *status.Status) {
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Accept-Encoding", "identity,gzip")
	h.Set("Grpc-Status", strconv.Itoa(int(s.Code())))
	h.Set("Grpc-Message", escape(s.Message()))
	if details, err := proto.Marshal(s.Proto()); err == nil && len(s.Proto().Details) > 0 {
		h.Set("Grpc-Status-Details-Bin", base64.RawStdEncoding.EncodeToString(details))
	}
	w.WriteHeader(http.StatusOK)
}

// escape encodes a message for gRPC's headers: bytes that are not printable
// ASCII, and the percent sign, as %XX.
func escape(message string) string {
	var b strings.Builder
	for i := range len(message) {
		if c := message[i]; c >= ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
