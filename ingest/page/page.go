// Package page is the web page of the pipelines of a home: the graph of each with live
// counts, the images that were classified last, and the dead letters.
package page

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"tkit/access"
	"tkit/ingest/status"
)

// Path is where the page is in a server.
const Path = "/pipelines"

// requestHeader must be in requests that change something. A page of another origin
// cannot send it without the permission of the server.
const requestHeader = "X-Tkit-Request"

//go:embed index.html page.css page.js
var files embed.FS

// Options say what is shown.
type Options struct {
	Home string
	// Replay processes the dead letters of a pipeline again for a caller, given the
	// pipeline's file.
	Replay func(ctx context.Context, who access.Caller, file string) error
	Log    *slog.Logger
}

// A Page is the handler of the paths below Path. A pipeline is shown to the principal
// that runs it. Requests must have been authenticated; see [access.WithCaller].
type Page struct {
	options Options
	routes  *http.ServeMux
	running context.Context // ends with Close
	stop    context.CancelFunc
	tasks   sync.WaitGroup

	mu      sync.Mutex
	replays map[string]*replay // by pipeline, the last of each
}

// A replay is one in progress, or the last one.
type replay struct {
	Running bool   `json:"running"`
	Error   string `json:"error,omitempty"`
}

// New returns the page. The caller closes it.
func New(o Options) *Page {
	p := &Page{options: o, routes: http.NewServeMux(), replays: make(map[string]*replay)}
	p.running, p.stop = context.WithCancel(context.Background())
	p.routes.HandleFunc("GET "+Path, serveFile("index.html"))
	p.routes.HandleFunc("GET "+Path+"/page.css", serveFile("page.css"))
	p.routes.HandleFunc("GET "+Path+"/page.js", serveFile("page.js"))
	p.routes.HandleFunc("GET "+Path+"/api", p.list)
	p.routes.HandleFunc("GET "+Path+"/api/{name}/{process}", p.describe)
	p.routes.HandleFunc("GET "+Path+"/api/{name}/{process}/letters/{id}", p.image)
	p.routes.HandleFunc("POST "+Path+"/api/{name}/{process}/replay", p.replay)
	return p
}

// Close stops replays in progress.
func (p *Page) Close() {
	p.stop()
	p.tasks.Wait()
}

func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	p.routes.ServeHTTP(w, r)
}

func serveFile(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, name) }
}

// list answers with the status of the caller's pipelines.
func (p *Page) list(w http.ResponseWriter, r *http.Request) {
	all, err := status.List(r.Context(), p.options.Home)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	mine := []summary{}
	caller, _ := access.CallerOf(r.Context())
	for _, s := range all {
		if s.Principal == string(caller.Principal) {
			mine = append(mine, summary{s, s.State()})
		}
	}
	answer(w, mine)
}

// A summary is a status with its state in a word.
type summary struct {
	status.Status
	State string `json:"state"`
}

// find returns the status of a process of a pipeline of the caller. Otherwise it
// answers.
func (p *Page) find(w http.ResponseWriter, r *http.Request) (status.Status, bool) {
	name := r.PathValue("name")
	if name != filepath.Base(name) {
		http.Error(w, "a pipeline has no such name", http.StatusNotFound)
		return status.Status{}, false
	}
	all, err := status.List(r.Context(), p.options.Home, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.fail(w, r, err)
		return status.Status{}, false
	}
	caller, _ := access.CallerOf(r.Context())
	for _, s := range all {
		if strconv.Itoa(s.Process) == r.PathValue("process") && s.Principal == string(caller.Principal) {
			return s, true
		}
	}
	http.Error(w, "you have no pipeline of this name", http.StatusNotFound)
	return status.Status{}, false
}

// fail answers with an error of this machine, which is only logged.
func (p *Page) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return
	}
	p.options.Log.Error("the page of pipelines", "path", r.URL.Path, "error", err)
	http.Error(w, "the pipeline cannot be read; see the server's log", http.StatusInternalServerError)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}

// replay begins a replay of the dead letters.
func (p *Page) replay(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(requestHeader) == "" {
		http.Error(w, "the header "+requestHeader+" is missing", http.StatusForbidden)
		return
	}
	s, ok := p.find(w, r)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.replays[s.Pipeline]; now != nil && now.Running || p.running.Err() != nil {
		http.Error(w, "a replay is in progress already", http.StatusConflict)
		return
	}
	p.replays[s.Pipeline] = &replay{Running: true}
	who, _ := access.CallerOf(r.Context())
	p.tasks.Go(func() {
		begun := time.Now()
		err := p.options.Replay(p.running, who, s.File)
		p.options.Log.Info("replayed dead letters", "pipeline", s.Pipeline, "took", time.Since(begun).Round(time.Millisecond), "error", err)
		ended := &replay{}
		if err != nil {
			ended.Error = err.Error()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.replays[s.Pipeline] = ended
	})
	w.WriteHeader(http.StatusAccepted)
}
