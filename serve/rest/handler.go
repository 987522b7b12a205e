// Package rest answers questions about images over HTTP: tkit's own
// :classify-image, and TensorFlow Serving's REST API (:predict, model status,
// metadata), with health and metrics beside them.
package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/semaphore"

	"tkit/internal/access"
	"tkit/serve"
)

// Limits bound what one request may hold.
type Limits struct {
	MaxBody   int64 // bytes of a body
	MaxBodies int64 // bytes of all bodies that are being read or answered
	MaxImages int   // images of a :classify-image, rows of a :predict
}

// Options say what a handler answers with.
type Options struct {
	Manager  *serve.Manager
	Metrics  *serve.Metrics
	Gatherer prometheus.Gatherer // what /metrics shows
	Limits   Limits
	Timeout  time.Duration // of a request; 0: none
	Draining func() bool   // the server is about to stop: it is not ready
	// Authenticate finds the caller of a request by its Authorization header;
	// nil: nobody asks. /livez and /readyz answer everybody.
	Authenticate func(header string) (access.Caller, error)
	Log          *slog.Logger
}

// New makes the HTTP API:
//
//	POST /v1/models/MODEL[/versions/N|/labels/L]:classify-image
//	POST /v1/models/MODEL[/versions/N|/labels/L]:predict
//	GET  /v1/models
//	GET  /v1/models/MODEL[/versions/N|/labels/L]
//	GET  /v1/models/MODEL[/versions/N|/labels/L]/metadata
//	GET  /livez, /readyz, /metrics
//
// Every request but those to /livez and /readyz is authenticated. Every answer
// but /metrics is JSON; an error is {"error": TEXT, "reason":
// REASON}.
func New(o Options) http.Handler {
	h := &handler{Options: o, bodies: semaphore.NewWeighted(o.Limits.MaxBodies)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/models/{address...}", h.ask)
	mux.HandleFunc("GET /v1/models/{address...}", h.describe)
	mux.HandleFunc("GET /v1/models", h.list)
	mux.HandleFunc("GET /livez", h.live)
	mux.HandleFunc("GET /readyz", h.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.fail(w, r, &serve.Error{Reason: serve.NotFound, Err: fmt.Errorf("nothing answers %s %s", r.Method, r.URL.Path)})
	})
	return h.guard(h.authenticate(mux))
}

type handler struct {
	Options
	bodies *semaphore.Weighted // bytes
}

// guard turns a panic into an answer. net/http would drop the connection.
func (h *handler) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				h.Log.ErrorContext(r.Context(), "panic in a request", "path", r.URL.Path, "panic", p)
				h.fail(w, r, errors.New("the request met a defect of the server"))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// authenticate puts the caller into the context of requests.
func (h *handler) authenticate(next http.Handler) http.Handler {
	if h.Authenticate == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/livez" && r.URL.Path != "/readyz" {
			caller, err := h.Authenticate(r.Header.Get("Authorization"))
			if err != nil {
				h.fail(w, r, err)
				return
			}
			r = r.WithContext(access.WithCaller(r.Context(), caller))
		}
		next.ServeHTTP(w, r)
	})
}

// ask answers the questions to models and measures them.
func (h *handler) ask(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	if h.Timeout > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
		defer cancel()
		r = r.WithContext(ctx)
	}
	a, err := parseAddress(r.PathValue("address"))
	methods := map[string]func(http.ResponseWriter, *http.Request, *question) error{
		"classify-image": h.classify,
		"predict":        h.predict,
	}
	method := methods[a.verb]
	switch {
	case err != nil:
		h.fail(w, r, &serve.Error{Reason: serve.NotFound, Err: err})
		return
	case method == nil || a.part != "":
		h.fail(w, r, &serve.Error{Reason: serve.NotFound, Err: errors.New("POST takes MODEL:classify-image or MODEL:predict")})
		return
	}
	q := &question{ref: a.ref, begun: begun}
	err = h.reserve(r, func() error { return method(w, r, q) })
	if err != nil {
		h.fail(w, r, err)
	}
	h.Metrics.Request("rest", a.verb, q.model, q.version, outcome(err), time.Since(begun))
	h.Log.DebugContext(r.Context(), "request", "method", a.verb, "model", a.ref.Model, "version", q.version,
		"outcome", outcome(err), "took", time.Since(begun))
}

// reserve keeps the memory for a request's body while it is answered. There is
// no waiting for it: clients that send slowly would hold up the others.
func (h *handler) reserve(r *http.Request, answer func() error) error {
	bytes := r.ContentLength
	if bytes < 0 || bytes > h.Limits.MaxBody { // not known, or to be refused
		bytes = h.Limits.MaxBody
	}
	if !h.bodies.TryAcquire(bytes) {
		return &serve.Error{Reason: serve.Overloaded, RetryAfter: time.Second, Err: errors.New("too many large requests at a time: try again later")}
	}
	defer h.bodies.Release(bytes)
	return answer()
}

// A question is one request to a model, and for the measurements, what
// answered it.
type question struct {
	ref            serve.Ref
	begun          time.Time
	model, version string // "" until a servable is found
}

// acquire finds the servable that answers; the caller releases it.
func (h *handler) acquire(ctx context.Context, q *question) (*serve.Servable, error) {
	s, err := h.Manager.Acquire(ctx, q.ref)
	if err == nil {
		q.model, q.version = s.Manifest.Model, strconv.Itoa(s.Manifest.Version)
	}
	return s, err
}

// exists refuses a request to what is not served, or not to its caller, before
// its body is read.
func (h *handler) exists(ctx context.Context, q *question) error {
	s, err := h.acquire(ctx, q)
	if err == nil {
		s.Release()
	}
	return err
}

func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	return string(serve.ReasonOf(err))
}
