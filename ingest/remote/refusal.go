package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"tkit/access"
	"tkit/inference"
	"tkit/ingest/classify"
	"tkit/ingest/failure"
	"tkit/registry"
)

// patience is how long an image waits for a server that is overloaded or loads a
// model. Then the pipeline retries it.
const patience = 30 * time.Second

// A refusal is an error response of a server.
type refusal struct {
	status     int
	text       string
	retryAfter time.Duration // 0: not given
	is         error         // access.ErrUnauthenticated, access.ErrDenied, registry.ErrNotFound or nil
}

func (r *refusal) Error() string { return fmt.Sprintf("the server answers %d: %s", r.status, r.text) }
func (r *refusal) Unwrap() error { return r.is }

// badImage are the reasons of responses that blame the image.
var badImage = []inference.Reason{
	inference.EmptyImage, inference.UnsupportedImage, inference.TruncatedImage, inference.CorruptImage, inference.RefusedImage,
	inference.TooManyPixels, inference.TooCostlyImage, inference.TooLarge,
}

// refused returns the error of a response that is not 200.
func refused(r *http.Response, text []byte) error {
	var body struct {
		Error  string           `json:"error"`
		Reason inference.Reason `json:"reason"`
	}
	if json.Unmarshal(text, &body) != nil || body.Error == "" {
		body.Error = http.StatusText(r.StatusCode) + " (not a response of tkit)"
	}
	f := &refusal{status: r.StatusCode, text: body.Error}
	if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && seconds > 0 {
		f.retryAfter = min(time.Duration(seconds)*time.Second, patience)
	}
	kind := failure.Outage
	switch {
	case slices.Contains(badImage, body.Reason):
		kind = failure.Lasting
	case r.StatusCode == http.StatusUnauthorized:
		f.is = access.ErrUnauthenticated
	case r.StatusCode == http.StatusForbidden:
		f.is = access.ErrDenied
	case r.StatusCode == http.StatusNotFound:
		f.is = registry.ErrNotFound
	case r.StatusCode == http.StatusInternalServerError, r.StatusCode == http.StatusBadRequest:
		kind = failure.Unknown
	}
	return &failure.Error{Stage: classify.Stage, Kind: kind, Err: f}
}

// patiently repeats a request that the server refuses because it is overloaded, starts
// or loads a model, until patience ends.
func (c *Client) patiently(ctx context.Context, request func() error) error {
	return failure.Persist(ctx, patience, request, func(err error) (time.Duration, bool) {
		f, is := errors.AsType[*refusal](err)
		if !is || f.status != http.StatusTooManyRequests && f.status != http.StatusServiceUnavailable {
			return 0, false
		}
		return f.retryAfter, true
	})
}
