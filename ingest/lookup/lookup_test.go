package lookup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tkit/ingest/failure"
	"tkit/ingest/sql"
	"tkit/internal/postgrestest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newCache(t *testing.T, o Options) *Cache {
	t.Helper()
	o.Timeout = time.Minute
	c, err := NewCache(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Images with the same key at the same time share a request, and later ones its answer.
func TestShared(t *testing.T) {
	c := newCache(t, Options{Size: 2, TTL: time.Hour, Missing: time.Hour})
	var requests atomic.Int64
	release := make(chan struct{})
	ask := func(context.Context) (Answer, error) {
		requests.Add(1)
		<-release
		return Answer{Found: true, JSON: []byte("1")}, nil
	}
	var images sync.WaitGroup
	for range 20 {
		images.Go(func() {
			if a, err := c.Get(t.Context(), "a", ask); err != nil || !a.Found || string(a.JSON) != "1" {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
	close(release)
	images.Wait()
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
	missing := func(context.Context) (Answer, error) { requests.Add(1); return Answer{}, nil }
	for _, key := range []string{"b", "b", "c", "a", "a"} { // c drives a out
		if _, err := c.Get(t.Context(), key, missing); err != nil {
			t.Error(err)
		}
	}
	if n := requests.Load(); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
}

// Failures and what has become too old are not remembered.
func TestForgotten(t *testing.T) {
	c := newCache(t, Options{Size: 10, TTL: time.Nanosecond})
	requests := 0
	for i := range 6 {
		_, err := c.Get(t.Context(), "a", func(context.Context) (Answer, error) {
			requests++
			return Answer{Found: i%3 == 0}, map[int]error{1: errors.New("down")}[i%3]
		})
		if (err != nil) != (i%3 == 1) {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if requests != 6 {
		t.Errorf("%d requests", requests)
	}
}

// An image that no longer waits does not end the request of others; Close does.
func TestCancelled(t *testing.T) {
	c := newCache(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	asked, ended := make(chan struct{}), make(chan struct{})
	_, err := c.Get(ctx, "a", func(ctx context.Context) (Answer, error) {
		go func() {
			cancel()
			close(asked)
		}()
		<-ctx.Done()
		close(ended)
		return Answer{}, ctx.Err()
	})
	if !errors.Is(err, context.Canceled) || failure.KindOf(err) != failure.Outage {
		t.Errorf("cancelled: %v", err)
	}
	<-asked
	select {
	case <-ended:
		t.Error("the request ended with the image")
	default:
	}
	c.Close()
	<-ended
	if _, err := c.Get(t.Context(), "b", nil); failure.KindOf(err) != failure.Outage {
		t.Errorf("closed: %v", err)
	}
}

func TestHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Asset-Token") != "secret" {
			t.Errorf("headers %v", r.Header)
		}
		switch path := strings.TrimPrefix(r.URL.Path, "/v1/"); path {
		case "known":
			fmt.Fprintf(w, `{"site": %q}`, r.URL.Query().Get("q"))
		case "null":
			fmt.Fprint(w, " null\n")
		case "text":
			fmt.Fprint(w, "hello")
		case "large":
			fmt.Fprintf(w, `"%s"`, strings.Repeat("x", maxResponse))
		case "moved":
			http.Redirect(w, r, "/v1/known", http.StatusFound)
		case "hangs up":
			panic(http.ErrAbortHandler)
		default:
			var status int
			fmt.Sscan(path, &status)
			w.WriteHeader(status)
		}
	}))
	defer server.Close()
	h, err := NewHTTP(HTTPOptions{Server: server.URL + "/v1/", Headers: map[string]string{"x-asset-token": "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if a, err := h.Get(t.Context(), "/known?q=north"); err != nil || !a.Found || string(a.JSON) != `{"site": "north"}` {
		t.Errorf("%s, %v", a.JSON, err)
	}
	for _, path := range []string{"/404", "/410", "/204", "/null"} {
		if a, err := h.Get(t.Context(), path); err != nil || a.Found {
			t.Errorf("%s: %s, %v", path, a.JSON, err)
		}
	}
	for path, want := range map[string]failure.Kind{
		"/500": failure.Outage, "/503": failure.Outage, "/429": failure.Outage, "/401": failure.Outage, "/403": failure.Outage, "/moved": failure.Outage,
		"/400": failure.Unknown, "/text": failure.Unknown, "/large": failure.Unknown, "/hangs%20up": failure.Outage,
		"@other.example.com/": failure.Unknown, "/%zz": failure.Unknown,
	} {
		_, err := h.Get(t.Context(), path)
		if err == nil || failure.KindOf(err) != want || failure.StageOf(err) != Stage || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", path, err)
		}
		if refused := path == "/401" || path == "/403" || path == "/moved"; refused != errors.Is(err, ErrMisconfigured) {
			t.Errorf("%s: %v", path, err)
		}
	}
	server.Close()
	if _, err := h.Get(t.Context(), "/known"); failure.KindOf(err) != failure.Outage || errors.Is(err, ErrMisconfigured) {
		t.Errorf("down: %v", err)
	}
}

func execute(t *testing.T, d sql.Database, statement string) {
	t.Helper()
	db, err := d.Open(true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestQuery(t *testing.T) {
	server := postgrestest.Start(t)
	for _, c := range []struct {
		database  sql.Database
		more      string // columns
		value     string
		parameter string
		want      string
	}{
		{sql.Database{Driver: sql.SQLite, Path: filepath.Join(t.TempDir(), "a.db")}, "", "", "?", `{"height":2.5,"id":7,"site":"north"}`},
		{sql.Database{Driver: sql.Postgres, DSN: server.Database(t)}, ", more jsonb", `, '{"a": [1]}'`, "$", `{"height":2.5,"id":7,"more":{"a":[1]},"site":"north"}`},
	} {
		execute(t, c.database, `CREATE TABLE cameras (id integer, site text, height double precision`+c.more+`)`)
		for _, row := range []string{"7, 'north', 2.5", "8, 'a', 1", "8, 'b', 1"} {
			execute(t, c.database, `INSERT INTO cameras VALUES (`+row+c.value+`)`)
		}
		ask := func(query string, values ...any) (Answer, error) {
			q, err := NewQuery(c.database, query)
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			return q.Get(t.Context(), values)
		}
		query := "SELECT * FROM cameras WHERE id = " + c.parameter + "1"
		if a, err := ask(query, 7); err != nil || string(a.JSON) != c.want {
			t.Errorf("%s: %s, %v", c.database.Driver, a.JSON, err)
		}
		if a, err := ask(query, 9); err != nil || a.Found {
			t.Errorf("%s: %s, %v", c.database.Driver, a.JSON, err)
		}
		if _, err := ask(query, 8); failure.KindOf(err) != failure.Unknown {
			t.Errorf("%s: two rows: %v", c.database.Driver, err)
		}
		for _, wrong := range []string{"SELECT * FROM missing", "no SQL"} {
			if _, err := ask(wrong); !errors.Is(err, ErrMisconfigured) || failure.KindOf(err) != failure.Outage {
				t.Errorf("%s: %s: %v", c.database.Driver, wrong, err)
			}
		}
		if _, err := ask("DELETE FROM cameras"); err == nil {
			t.Errorf("%s: a query deletes", c.database.Driver)
		}
	}
	q, err := NewQuery(sql.Database{Driver: sql.Postgres, DSN: server.DSN("postgres")}, "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	server.Stop(t)
	if _, err := q.Get(t.Context(), nil); failure.KindOf(err) != failure.Outage || errors.Is(err, ErrMisconfigured) {
		t.Errorf("down: %v", err)
	}
}
