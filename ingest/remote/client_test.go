package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"tkit/access"
	"tkit/ingest/failure"
	"tkit/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fake answers as a server does.
type fake struct {
	classify    http.HandlerFunc
	metadata    http.HandlerFunc
	classified  atomic.Int64
	described   atomic.Int64
	authorities chan string
}

const (
	prediction = `{"model": "flowers", "version": 3, "predictions": [{"labels": [{"label": "rose", "probability": 0.75}]}], "timings_ms": {}}`
	metadata   = `{"metadata": {"preprocessing_digest": "sha256:1", "restricted_by": ["dataset:scans"]}}`
)

func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case f.authorities <- r.Header.Get("Authorization"):
	default:
	}
	if strings.HasSuffix(r.URL.Path, "/metadata") {
		f.described.Add(1)
		f.metadata(w, r)
		return
	}
	f.classified.Add(1)
	f.classify(w, r)
}

func start(t *testing.T, f *fake) *Client {
	t.Helper()
	if f.classify == nil {
		f.classify = text(http.StatusOK, prediction)
	}
	if f.metadata == nil {
		f.metadata = text(http.StatusOK, metadata)
	}
	f.authorities = make(chan string, 1)
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	c, err := New(Options{URL: server.URL + "/", Token: "tkit_secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var flowers = []registry.Ref{{Model: "flowers", Alias: "production"}}

func TestClassify(t *testing.T) {
	f := &fake{classify: func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.String() != "/v1/models/flowers/labels/production:classify-image?top=2" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		text(http.StatusOK, prediction)(w, r)
	}}
	c := start(t, f)
	for range 3 {
		results, err := c.Classify(t.Context(), []byte("image"), flowers, 2)
		if err != nil {
			t.Fatal(err)
		}
		r := results[0]
		if r.Model != "flowers" || r.Version != 3 || r.Alias != "production" || len(r.Labels) != 1 || r.Labels[0].Label != "rose" || r.Labels[0].Probability != .75 ||
			r.Preprocessing != "sha256:1" || !slices.Equal(r.RestrictedBy, []access.Object{"dataset:scans"}) {
			t.Errorf("%+v", r)
		}
	}
	if n := f.described.Load(); n != 1 {
		t.Errorf("the version was described %d times", n)
	}
	if got := <-f.authorities; got != "Bearer tkit_secret" {
		t.Errorf("the token is sent as %q", got)
	}
}

// An overloaded server is asked again.
func TestOverloaded(t *testing.T) {
	f := &fake{}
	f.classify = func(w http.ResponseWriter, r *http.Request) {
		switch f.classified.Load() {
		case 1:
			text(http.StatusTooManyRequests, `{"error": "the queue is full", "reason": "overloaded"}`)(w, r)
		case 2:
			text(http.StatusServiceUnavailable, `{"error": "starting", "reason": "unavailable"}`)(w, r)
		default:
			text(http.StatusOK, prediction)(w, r)
		}
	}
	if _, err := start(t, f).Classify(t.Context(), nil, flowers, 1); err != nil || f.classified.Load() != 3 {
		t.Errorf("%v after %d requests", err, f.classified.Load())
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		classify, metadata http.HandlerFunc
		kind               failure.Kind
		is                 error
		words              string
	}{
		"a bad image":    {classify: text(http.StatusBadRequest, `{"error": "truncated", "reason": "truncated"}`), kind: failure.Lasting, words: "truncated"},
		"no token":       {classify: text(http.StatusUnauthorized, `{"error": "no token", "reason": "unauthenticated"}`), kind: failure.Outage, is: access.ErrUnauthenticated},
		"no right":       {classify: text(http.StatusForbidden, `{"error": "denied", "reason": "forbidden"}`), kind: failure.Outage, is: access.ErrDenied},
		"no model":       {classify: text(http.StatusNotFound, `{"error": "no flowers", "reason": "not found"}`), kind: failure.Outage, is: registry.ErrNotFound},
		"a proxy":        {classify: text(http.StatusBadGateway, "<html>"), kind: failure.Outage, words: "502: Bad Gateway (not a response of tkit)"},
		"a defect":       {classify: text(http.StatusInternalServerError, `{"error": "internal", "reason": "internal"}`), kind: failure.Unknown},
		"another server": {classify: text(http.StatusOK, "<html>"), kind: failure.Unknown, words: "not JSON"},
		"other JSON":     {classify: text(http.StatusOK, "{}"), kind: failure.Unknown, words: "no prediction"},
		"another model":  {classify: text(http.StatusOK, strings.Replace(prediction, "flowers", "herbs", 1)), kind: failure.Unknown, words: "no prediction"},
		"no labels":      {classify: text(http.StatusOK, `{"model": "flowers", "version": 3, "predictions": [{}]}`), kind: failure.Unknown, words: "no prediction"},
		"too much":       {classify: text(http.StatusOK, strings.Repeat(" ", maxResponse+1)), kind: failure.Unknown, words: "larger than"},
		"no policy":      {metadata: text(http.StatusOK, `{"metadata": {}}`), kind: failure.Outage, words: "what restricts flowers@3"},
	} {
		_, err := start(t, &fake{classify: c.classify, metadata: c.metadata}).Classify(t.Context(), []byte("image"), flowers, 1)
		if err == nil || failure.KindOf(err) != c.kind || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, of kind %v", name, err, failure.KindOf(err))
		}
	}
}

// The token and the image go to no other address than the given one.
func TestRedirect(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other server was asked") }))
	defer other.Close()
	c := start(t, &fake{classify: func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}})
	if _, err := c.Classify(t.Context(), nil, flowers, 1); failure.KindOf(err) != failure.Outage {
		t.Error(err)
	}
}

func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	c, err := New(Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	defer c.Close()
	if _, err := c.Classify(t.Context(), nil, flowers, 1); failure.KindOf(err) != failure.Outage || !strings.Contains(err.Error(), "does not answer") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := start(t, &fake{}).Classify(ctx, nil, flowers, 1); failure.KindOf(err) != failure.Outage {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	for _, url := range []string{"", "localhost:8501", "ftp://localhost", "http://", "http://me:secret@localhost", "http://localhost?x"} {
		if _, err := New(Options{URL: url}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
	for url, want := range map[string]string{"http://models:8501": "https://", "http://127.0.0.1:8501": "", "http://localhost": "", "https://models": ""} {
		c, err := New(Options{URL: url, Token: "tkit_secret"})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", url, err)
		}
		if c != nil {
			c.Close()
		}
	}
	if _, err := New(Options{URL: "https://models", CA: "client_test.go"}); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Error(err)
	}
}
