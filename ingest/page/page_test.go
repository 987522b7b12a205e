package page_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"gopkg.in/yaml.v3"

	"tkit/access"
	"tkit/inference/inferencetest"
	"tkit/ingest/deadletter"
	"tkit/ingest/graph"
	"tkit/ingest/page"
	"tkit/ingest/status"
	"tkit/internal/needs"
)

const olga, mallory = access.Principal("user:olga"), access.Principal("user:mallory")

// hostile is a name that would be a script if it were shown as markup.
const hostile = `<img src=x onerror="document.title='hacked'">.png`

// A place is a home in which olga's pipeline has run, and its page.
type place struct {
	home, folder string
	letters      *deadletter.Store
	server       *httptest.Server
	caller       atomic.Value // access.Principal of the requests
	replayed     chan string  // files of pipelines
	finish       chan error   // ends replays
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{home: t.TempDir(), replayed: make(chan string, 1), finish: make(chan error, 1)}
	p.folder = status.Folder(p.home, "flowers", 1)
	if err := os.MkdirAll(p.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	unlock, err := status.Lock(p.folder, status.RunLock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unlock() })
	dead := p.home + "/dead"
	if p.letters, err = deadletter.Open(dead); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.letters.Close() })
	p.put(t, hostile)
	p.tell(t, dead, 1234)
	handler := page.New(page.Options{
		Home: p.home, Log: slog.New(slog.DiscardHandler),
		Replay: func(ctx context.Context, who access.Caller, file string) error {
			p.replayed <- string(who.Principal) + " " + file
			select {
			case err := <-p.finish:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	})
	t.Cleanup(handler.Close)
	p.caller.Store(olga)
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := access.Caller{Principal: p.caller.Load().(access.Principal)}
		handler.ServeHTTP(w, r.WithContext(access.WithCaller(r.Context(), who)))
	}))
	t.Cleanup(p.server.Close)
	return p
}

func (p *place) put(t *testing.T, source string) {
	t.Helper()
	l := deadletter.Letter{Source: source, Stage: "classify", Cause: "the image is truncated", Attempts: 1, Time: time.Now()}
	if err := p.letters.Put(t.Context(), l, []byte("no image")); err != nil {
		t.Fatal(err)
	}
}

// tell writes what a run tells about itself.
func (p *place) tell(t *testing.T, dead string, delivered int64) {
	t.Helper()
	const file = "name: flowers\ninput: {tkit_directory: {path: in}}\npipeline: {processors: [{tkit_classify: {models: [flowers]}}]}\noutput: {tkit_folder: {path: out}}\n"
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(file), &document); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	err := errors.Join(
		status.Write(p.folder, status.Status{
			Pipeline: "flowers", Process: 1, File: "/pipelines/flowers.yaml", Principal: string(olga), Started: now, Updated: now, Delivered: delivered, DeadLetters: dead,
			Components: map[string]status.Component{"root.pipeline.processors.0": {Images: 99, Failed: 3, Seconds: 1}},
		}),
		status.WriteView(p.folder, status.View{Graph: graph.New(document.Content[0]), Recent: []status.Recent{
			{Time: now, Source: "rose.jpg", Model: "flowers@3", Label: "rose", Probability: 0.75, Thumbnail: inferencetest.JPEG(t, 1)},
		}}))
	if err != nil {
		t.Fatal(err)
	}
}

func (p *place) get(t *testing.T, path string) (int, string) {
	t.Helper()
	response, err := http.Get(p.server.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// Only the principal of the run sees a pipeline, its dead letters, and may replay them.
func TestOthersSeeNothing(t *testing.T) {
	p := newPlace(t)
	_, text := p.get(t, "/pipelines/api/flowers/1")
	var d struct{ Letters []deadletter.Letter }
	if err := json.Unmarshal([]byte(text), &d); err != nil || len(d.Letters) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	paths := []string{"/pipelines/api/flowers/1", "/pipelines/api/flowers/1/letters/" + d.Letters[0].ID}
	for _, path := range paths {
		if code, text := p.get(t, path); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	for _, path := range []string{"/pipelines/api/herbs/1", "/pipelines/api/flowers/2", "/pipelines/api/..%2f..%2fx/1", "/pipelines/api/flowers/1/letters/..%2f..%2fstatus", "/pipelines/none"} {
		if code, text := p.get(t, path); code != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	p.caller.Store(mallory)
	for _, path := range paths {
		if code, text := p.get(t, path); code != http.StatusNotFound || strings.Contains(text, "truncated") {
			t.Errorf("%s for another: %d %s", path, code, text)
		}
	}
	if _, text := p.get(t, "/pipelines/api"); strings.TrimSpace(text) != "[]" {
		t.Errorf("another sees %s", text)
	}
	if code := p.post(t, "replay"); code != http.StatusNotFound {
		t.Errorf("another replays: %d", code)
	}
	p.caller.Store(olga)
	if code := p.post(t, ""); code != http.StatusForbidden {
		t.Errorf("a form of another page replays: %d", code)
	}
}

func (p *place) post(t *testing.T, header string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.server.URL+"/pipelines/api/flowers/1/replay", nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != "" {
		request.Header.Set("X-Tkit-Request", header)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// TestBrowser looks at the page in Chromium: live counts, labels, hostile names as
// text, and the button.
func TestBrowser(t *testing.T) {
	chromium := needs.Chromium(t)
	p := newPlace(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.WindowSize(1100, 1000))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	do(t, ctx, chromedp.Navigate(p.server.URL+"/pipelines"))
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for _, words := range []string{"1,234", "rose 75.0 %", "flowers@3", hostile, "the image is truncated"} {
		do(t, ctx, until(t, words))
	}
	title := do(t, ctx, chromedp.Title())
	drawn := do(t, ctx, chromedp.TextContent("#graph svg"))
	pictures := do(t, ctx, chromedp.Evaluate[int](`[...document.images].filter(i => i.naturalWidth > 0).length`))
	if title != "tkit: pipelines" || !strings.Contains(drawn, "tkit_classify") || !strings.Contains(drawn, "99 · 10 ms · 3 failed") || pictures != 1 {
		t.Errorf("title %q, %d pictures, graph %q", title, pictures, drawn)
	}
	p.tell(t, p.home+"/dead", 5678)
	do(t, ctx, until(t, "5,678"))
	do(t, ctx, chromedp.Click("#replay"))
	do(t, ctx, until(t, "in progress"))
	if got := <-p.replayed; got != "user:olga /pipelines/flowers.yaml" {
		t.Errorf("replayed %s", got)
	}
	if code := p.post(t, "replay"); code != http.StatusConflict {
		t.Errorf("a second replay: %d", code)
	}
	p.finish <- errors.New("the disk is full")
	do(t, ctx, until(t, "failed: the disk is full"))
}

// do runs an action in the browser.
func do[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// until waits until the page shows some words.
func until(t *testing.T, words string) chromedp.Action[bool] {
	t.Helper()
	quoted, err := json.Marshal(words)
	if err != nil {
		t.Fatal(err)
	}
	return chromedp.Poll[bool]("document.body.innerText.includes(" + string(quoted) + ")")
}
