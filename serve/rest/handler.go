// Package rest is the HTTP API: tkit's own :classify-image, TensorFlow Serving's REST
// API (:predict, model status, metadata), health checks and metrics.
package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tkit/access"
	"tkit/inference"
	"tkit/registry"
	"tkit/serve"
)

// Limits bound one request.
type Limits struct {
	MaxBody   int64 // bytes of a body, compressed and decompressed
	MaxImages int   // images of a :classify-image, rows of a :predict
}

// Options configure a handler.
type Options struct {
	*serve.Service
	Gatherer prometheus.Gatherer // the metrics of /metrics
	Limits   Limits
	Draining func() bool // reports whether the server is about to stop, and therefore not ready
	// Policy returns why the policy cannot be read; the server is then not
	// ready. A nil function means that there is no policy.
	Policy func() error
	// Restrictions returns the datasets and models that restrict a version, for
	// callers that may use it. A nil function means that there are none.
	Restrictions func(ctx context.Context, v inference.Version) ([]access.Object, error)
	// Pages are web pages, by the first part of their paths. A browser may also send
	// the token as the password of HTTP's basic authentication.
	Pages map[string]http.Handler
	// Origins are those of the web pages that may send requests.
	Origins []string
	// Authenticate finds the caller of a request by its Authorization header; nil
	// means that requests are not authenticated. /livez and /readyz require no
	// authentication.
	Authenticate func(ctx context.Context, header string) (access.Caller, error)
}

// New returns the handler of the HTTP API:
//
//	POST /v1/models/MODEL[/versions/N|/labels/L]:classify-image
//	POST /v1/models/MODEL[/versions/N|/labels/L]:predict
//	GET  /v1/models
//	GET  /v1/models/MODEL[/versions/N|/labels/L]
//	GET  /v1/models/MODEL[/versions/N|/labels/L]/metadata
//	GET  /livez, /readyz, /metrics
//
// All requests except to /livez and /readyz are authenticated. All responses
// except of /metrics are JSON; an error is {"error": TEXT, "reason": REASON}.
func New(o Options) http.Handler {
	h := &handler{Options: o}
	paths := map[string]http.HandlerFunc{
		"/v1/models": h.reading(h.list),
		"/livez":     h.reading(h.live),
		"/readyz":    h.reading(h.ready),
		"/metrics":   h.reading(h.metrics(promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{}))),
	}
	// http.ServeMux is not used: its redirects and errors are HTML and text.
	route := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		address, isModel := strings.CutPrefix(r.URL.Path, "/v1/models/")
		answer, ok := paths[r.URL.Path]
		page := h.page(r)
		switch {
		case page != nil:
			page.ServeHTTP(w, r)
		case isModel:
			h.model(w, r, address)
		case ok:
			answer(w, r)
		default:
			h.fail(w, r, &inference.Error{Reason: inference.NotFound, Err: fmt.Errorf("there is no resource %.100q", r.URL.Path)})
		}
	})
	return h.guard(h.origins(h.authenticate(route)))
}

// readers are the methods of requests that only read.
const readers = "GET, HEAD"

// reading refuses methods that are not for reading.
func (h *handler) reading(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.wrongMethod(w, r, readers)
			return
		}
		answer(w, r)
	}
}

// metrics answers with the metrics, or with those that name[] names.
func (h *handler) metrics(all http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := knownQuery(r, "name[]"); err != nil {
			h.fail(w, r, err)
			return
		}
		all.ServeHTTP(w, r)
	}
}

// model answers requests below /v1/models/: predictions by POST, and
// descriptions of models by GET.
func (h *handler) model(w http.ResponseWriter, r *http.Request, path string) {
	a, err := parseAddress(path)
	post := map[string]answerer{"classify-image": h.classify, "predict": h.predict}[a.verb]
	if err == nil && a.verb != "" && (post == nil || a.part != "") {
		err = errors.New("a model supports :classify-image and :predict")
	}
	switch {
	case err != nil:
		h.fail(w, r, &inference.Error{Reason: inference.NotFound, Err: err})
	case a.verb != "" && r.Method != http.MethodPost:
		h.wrongMethod(w, r, http.MethodPost)
	case a.verb != "":
		h.ask(w, r, a.ref, a.verb, post)
	case a.part == "metadata":
		h.reading(func(w http.ResponseWriter, r *http.Request) { h.ask(w, r, a.ref, "metadata", h.metadata) })(w, r)
	default:
		h.reading(func(w http.ResponseWriter, r *http.Request) { h.ask(w, r, a.ref, "status", h.status) })(w, r)
	}
}

type handler struct{ Options }

// guard closes connections while the server drains, and turns a panic into an error
// response, where net/http would drop the connection.
func (h *handler) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Reset the deadline of the connection's previous response.
		http.NewResponseController(w).SetWriteDeadline(time.Time{})
		if h.Draining() {
			w.Header().Set("Connection", "close") // the next request goes elsewhere
		}
		defer func() {
			if p := recover(); p != nil {
				h.fail(w, r, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// page returns the handler of the web page of a request, or nil.
func (h *handler) page(r *http.Request) http.Handler {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return h.Pages[first]
}

// authenticate puts the caller into the context of requests.
func (h *handler) authenticate(next http.Handler) http.Handler {
	if h.Authenticate == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/livez" && r.URL.Path != "/readyz" {
			header := r.Header.Get("Authorization")
			if _, token, basic := r.BasicAuth(); basic && h.page(r) != nil {
				header = "Bearer " + token
			}
			caller, err := h.Authenticate(r.Context(), header)
			if err != nil {
				if h.page(r) != nil {
					w.Header().Add("WWW-Authenticate", `Basic realm="tkit: a token as the password", charset="UTF-8"`)
				}
				h.fail(w, r, err)
				return
			}
			r = r.WithContext(access.WithCaller(r.Context(), caller))
		}
		next.ServeHTTP(w, r)
	})
}

// An answerer answers a request to a model with a JSON text. It needs the
// writer only to limit the request's body: exceeding a limit closes the
// connection.
type answerer func(w http.ResponseWriter, r *http.Request, q question) ([]byte, error)

// A question is one request to a model.
type question struct {
	*serve.Call
	ref   registry.Ref
	begun time.Time
}

// find finds the version for the request.
func (q question) find(ctx context.Context) (*inference.Handle, error) { return q.Find(ctx, q.ref) }

// ask answers a request to a model. All its resources are released before the
// response is sent, because the client may be slow.
func (h *handler) ask(w http.ResponseWriter, r *http.Request, ref registry.Ref, method string, answer answerer) {
	begun := time.Now()
	var text []byte
	err := h.Do(r.Context(), serve.Request{API: "rest", Method: method}, func(ctx context.Context, c *serve.Call) (err error) {
		defer func() {
			if c.Account.Refused() {
				w.Header().Set("Connection", "close") // do not read the rest of the body
			}
		}()
		r := r.WithContext(ctx)
		if r.Body, err = h.unpack(w, r, c.Account); err != nil {
			return err
		}
		text, err = answer(w, r, question{c, ref, begun})
		return err
	})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	write(w, http.StatusOK, append(text, '\n'))
}
