package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"tkit/inference"
	"tkit/serve"
)

// statusClientClosed is the status of a request whose client has disconnected, as
// proxies log it. No client sees it.
const statusClientClosed = 499

// status returns the HTTP status of a reason.
func status(r inference.Reason) int {
	switch r {
	case inference.NotFound:
		return http.StatusNotFound
	case serve.Unauthenticated:
		return http.StatusUnauthorized
	case serve.Forbidden:
		return http.StatusForbidden
	case inference.Unavailable:
		return http.StatusServiceUnavailable
	case inference.Overloaded:
		return http.StatusTooManyRequests
	case inference.Timeout:
		return http.StatusGatewayTimeout
	case inference.Cancelled:
		return statusClientClosed
	case inference.TooLarge, inference.TooManyPixels, inference.TooCostlyImage:
		return http.StatusRequestEntityTooLarge
	case inference.UnsupportedImage, serve.UnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case inference.BadRequest, inference.EmptyImage, inference.TruncatedImage, inference.CorruptImage, inference.RefusedImage:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// A failure is the body of an error response.
type failure struct {
	Error  string           `json:"error"`
	Reason inference.Reason `json:"reason"`
	// Image is the index of the image that failed, from 0.
	Image *int `json:"image,omitempty"`
}

// fail sends an error response.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	reason := inference.ReasonOf(err)
	f := failure{Error: serve.Tell(err), Reason: reason}
	if row, ok := errors.AsType[*inference.RowError](err); ok && status(reason) < 500 {
		f.Image = &row.Index
	}
	if e, ok := errors.AsType[*inference.Error](err); ok && e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if reason == serve.Unauthenticated {
		w.Header().Add("WWW-Authenticate", `Bearer realm="tkit"`)
	}
	if status(reason) == http.StatusInternalServerError {
		h.Log.ErrorContext(r.Context(), "a request failed", "path", serve.Brief(r.URL.Path), "error", err)
	}
	h.answer(w, status(reason), f)
}

// wrongMethod refuses a request with a method that its path does not support.
func (h *handler) wrongMethod(w http.ResponseWriter, r *http.Request, allowed string) {
	w.Header().Set("Allow", allowed)
	h.answer(w, http.StatusMethodNotAllowed, failure{
		Error: fmt.Sprintf("%.200s supports %s, not %.20s", r.URL.Path, allowed, r.Method), Reason: inference.BadRequest,
	})
}

// answer sends a JSON response.
func (h *handler) answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		h.Log.Error("cannot encode a response", "error", err)
		status, text = http.StatusInternalServerError, []byte(`{"error":"the response cannot be encoded","reason":"internal"}`)
	}
	write(w, status, append(text, '\n'))
}

// sending is the time that a client has to receive its response.
const sending = 30 * time.Second

// write sends a JSON text. Errors are ignored: they mean that the client has
// disconnected.
func write(w http.ResponseWriter, status int, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sending))
	w.WriteHeader(status)
	w.Write(text)
}
