package opensearch_test

import (
	"context"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tkit/ingest/failure"
	"tkit/ingest/opensearch"
	"tkit/ingest/opensearchtest"
)

var server = opensearchtest.Shared()

func TestMain(m *testing.M) { os.Exit(opensearchtest.Main(m)) }

func open(t *testing.T, index opensearch.Index) *opensearch.Sink {
	t.Helper()
	s, err := index.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func documents(t *testing.T, index string) map[string]opensearchtest.Document {
	t.Helper()
	found, err := server(t).Documents(index)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]opensearchtest.Document)
	for _, d := range found {
		all[d.ID] = d
	}
	return all
}

func sumOf(i int) [32]byte { return sha256.Sum256(fmt.Append(nil, "image ", i)) }

// Documents that are written concurrently share requests. A document that is refused
// fails alone, and one that is written again is there once.
func TestWrite(t *testing.T) {
	index := opensearch.Index{Servers: []string{server(t).URL() + "/"}, Name: "write", Create: true}
	open(t, index) // makes it
	s := open(t, index)
	const n = 400
	for _, label := range []string{"daisy", "rose \u2028\n\"1\""} {
		var writing sync.WaitGroup
		for i := range n {
			writing.Go(func() {
				text := fmt.Sprintf("{\n\"label\": %q, \"probability\": 0.%03d}", label, i)
				if i%100 == 7 {
					text = `{"probability": "high"}`
				}
				err := s.Write(t.Context(), sumOf(i), []byte(text))
				if bad := i%100 == 7; bad != (err != nil) || bad && (failure.KindOf(err) != failure.Lasting || !strings.Contains(err.Error(), "failed to parse field [probability]")) {
					t.Errorf("document %d: %v", i, err)
				}
			})
		}
		writing.Wait()
		all := documents(t, "write")
		if len(all) != n-n/100 {
			t.Errorf("%d documents", len(all))
		}
		if d := all[fmt.Sprintf("%x", sumOf(3))]; d.Source["label"] != label {
			t.Errorf("%+v", d)
		}
	}
	// Text is found as a whole.
	var counts struct{ Count int }
	err := server(t).Do(http.MethodPost, "/write/_count", `{"query": {"term": {"label": "rose \u2028\n\"1\""}}}`, &counts)
	if err != nil || counts.Count != n-n/100 {
		t.Errorf("%d documents with the label, %v", counts.Count, err)
	}
}

// A server that does not answer is an outage.
func TestServerDown(t *testing.T) {
	down := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	index := opensearch.Index{Servers: []string{down.URL}, Name: "down", Create: true}
	s := open(t, index)
	down.Close()
	if err := s.Write(t.Context(), sumOf(2), []byte(`{}`)); failure.KindOf(err) != failure.Outage || opensearch.IsMisconfigured(err) {
		t.Errorf("down: %v", err)
	}
	if _, err := index.Open(t.Context()); err == nil || opensearch.IsMisconfigured(err) {
		t.Errorf("open while it is down: %v", err)
	}
}

// The first value of a field does not decide what later ones may be.
func TestTypes(t *testing.T) {
	s := open(t, opensearch.Index{Servers: []string{server(t).URL()}, Name: "types", Create: true})
	for i, text := range []string{
		`{"probability": 1, "label": "2026-01-01", "modified": "2026-12-01T02:20:38.797513587Z", "version": 1}`,
		`{"probability": 0.75, "label": "daisy", "modified": "2026-12-01T02:20:39Z", "version": 2}`,
	} {
		if err := s.Write(t.Context(), sumOf(i), []byte(text)); err != nil {
			t.Error(err)
		}
	}
	documents(t, "types") // refreshes the index
	var counts struct{ Count int }
	const query = `{"query": {"bool": {"filter": [{"range": {"probability": {"gt": 0.5, "lt": 0.9}}}, {"range": {"modified": {"gte": "2026-12-01"}}}]}}}`
	if err := server(t).Do(http.MethodPost, "/types/_count", query, &counts); err != nil || counts.Count != 1 {
		t.Errorf("%d documents with a probability between 0.5 and 0.9, %v", counts.Count, err)
	}
}

// A guard is what is in front of a cluster: it has TLS, a user and a password.
func guard(t *testing.T) (address, ca string) {
	t.Helper()
	target, err := url.Parse(server(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	behind := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "tkit" || password != "let-me-in" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return front.URL, ca
}

func TestTLS(t *testing.T) {
	address, ca := guard(t)
	index := opensearch.Index{Servers: []string{address}, CA: ca, User: "tkit", Password: "let-me-in", Name: "secure", Create: true}
	if err := open(t, index).Write(t.Context(), sumOf(1), []byte(`{}`)); err != nil {
		t.Error(err)
	}
	wrong, untrusted := index, index
	wrong.Password = "wrong-let-me-in"
	untrusted.CA = ""
	if _, err := wrong.Open(t.Context()); !opensearch.IsMisconfigured(err) || strings.Contains(err.Error(), "let-me-in") {
		t.Errorf("a wrong password: %v", err)
	}
	if _, err := untrusted.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "let-me-in") {
		t.Errorf("an unknown authority: %v", err)
	}
}

func TestMissingIndex(t *testing.T) {
	_, err := opensearch.Index{Servers: []string{server(t).URL()}, Name: "missing"}.Open(t.Context())
	if !opensearch.IsMisconfigured(err) || !strings.Contains(err.Error(), "index missing: it does not exist") {
		t.Error(err)
	}
}

// What does not answer is left for the next server.
func TestNextServer(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	index := opensearch.Index{Servers: []string{closed.URL, server(t).URL()}, Name: "next", Create: true}
	if _, err := index.Open(t.Context()); err == nil {
		t.Fatal("a server that is down answers")
	}
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	defer broken.Close()
	index.Servers[0] = broken.URL
	open(t, opensearch.Index{Servers: []string{server(t).URL()}, Name: "next", Create: true})
	s := open(t, index)
	if err := s.Write(t.Context(), sumOf(1), []byte(`{}`)); failure.KindOf(err) != failure.Outage {
		t.Errorf("the first attempt: %v", err)
	}
	if err := s.Write(t.Context(), sumOf(1), []byte(`{}`)); err != nil {
		t.Errorf("the second attempt: %v", err)
	}
}

// scripted returns a sink of a server that answers all requests to write with the same.
func scripted(t *testing.T, status int, answer string) *opensearch.Sink {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(status)
			fmt.Fprint(w, answer)
		}
	}))
	t.Cleanup(s.Close)
	return open(t, opensearch.Index{Servers: []string{s.URL}, Name: "scripted"})
}

func TestAnswers(t *testing.T) {
	item := func(status int, kind string) string {
		return fmt.Sprintf(`{"items": [{"index": {"status": %d, "error": {"type": %q, "reason": "because"}}}]}`, status, kind)
	}
	for name, c := range map[string]struct {
		status        int
		answer        string
		kind          failure.Kind
		misconfigured bool
	}{
		"overloaded document": {200, item(429, "rejected_execution_exception"), failure.Outage, false},
		"no primary shard":    {200, item(503, "unavailable_shards_exception"), failure.Outage, false},
		"refused document":    {200, item(400, "strict_dynamic_mapping_exception"), failure.Lasting, false},
		"read-only index":     {200, item(403, "cluster_block_exception"), failure.Outage, false},
		"missing right":       {200, item(403, "security_exception"), failure.Outage, true},
		"missing index":       {200, item(404, "index_not_found_exception"), failure.Outage, true},
		"conflict":            {200, item(409, "version_conflict_engine_exception"), failure.Unknown, false},
		"no item":             {200, `{"items": []}`, failure.Outage, false},
		"no JSON":             {200, `<html>`, failure.Outage, false},
		"overloaded":          {429, `{"error": {"type": "circuit_breaking_exception", "reason": "because"}, "status": 429}`, failure.Outage, false},
		"too large":           {413, `<html>`, failure.Lasting, false},
		"down":                {503, `{"error": "because"}`, failure.Outage, false},
		"redirect":            {302, ``, failure.Outage, true},
		"wrong password":      {401, `Unauthorized`, failure.Outage, true},
	} {
		err := scripted(t, c.status, c.answer).Write(t.Context(), sumOf(1), []byte(`{}`))
		if err == nil || failure.KindOf(err) != c.kind || failure.StageOf(err) != opensearch.Stage {
			t.Errorf("%s: %v of the kind %d, want %d", name, err, failure.KindOf(err), c.kind)
		}
		if c.kind == failure.Outage && opensearch.IsMisconfigured(err) != c.misconfigured {
			t.Errorf("%s: misconfigured: %t", name, !c.misconfigured)
		}
		if strings.Contains(c.answer, `"reason"`) && !strings.Contains(err.Error(), ": because") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A request that is refused as a whole is divided, and too many bytes have several
// requests.
func TestDivided(t *testing.T) {
	var most int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if most = max(most, r.ContentLength); r.ContentLength > 3<<20 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		} else if r.Method == http.MethodPost {
			fmt.Fprint(w, `{"items": [{"index": {"status": 201}}]}`)
		}
	}))
	t.Cleanup(s.Close)
	sink := open(t, opensearch.Index{Servers: []string{s.URL}, Name: "divided"})
	text := []byte(`{"text": "` + strings.Repeat("x", 2<<20) + `"}`)
	var writing sync.WaitGroup
	for i := range 8 {
		writing.Go(func() {
			if err := sink.Write(t.Context(), sumOf(i), text); err != nil {
				t.Error(err)
			}
		})
	}
	writing.Wait()
	if most > 5<<20 {
		t.Errorf("a request of %d bytes", most)
	}
}

// A caller is not held back by a server that hangs, and neither is the end of the sink.
func TestHangs(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	hung := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			<-hung
		}
	}))
	defer s.Close()
	defer close(hung)
	sink, err := opensearch.Index{Servers: []string{s.URL}, Name: "hangs"}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := sink.Write(ctx, sumOf(1), []byte(`{}`)); !errors.Is(err, context.DeadlineExceeded) || failure.KindOf(err) != failure.Outage {
		t.Errorf("hangs: %v", err)
	}
	if err := sink.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	good := opensearch.Index{Servers: []string{"https://search.example.com:9200"}, User: "tkit", Password: "secret", Name: "images-2"}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(i *opensearch.Index){
		func(i *opensearch.Index) { i.Servers = nil },
		func(i *opensearch.Index) { i.Servers = []string{"search.example.com:9200"} },
		func(i *opensearch.Index) { i.Servers = []string{"https://me:secret@search.example.com"} },
		func(i *opensearch.Index) { i.Servers = []string{"http://search.example.com:9200"} },
		func(i *opensearch.Index) { i.User = "" },
		func(i *opensearch.Index) { i.Name = "" },
		func(i *opensearch.Index) { i.Name = "Images" },
		func(i *opensearch.Index) { i.Name = "images*" },
		func(i *opensearch.Index) { i.Name = "images,others" },
		func(i *opensearch.Index) { i.Name = "_all" },
	} {
		i := good
		change(&i)
		if err := i.Check(); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", i, err)
		}
	}
}
