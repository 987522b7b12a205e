package opensearch_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tkit/ingest"
	"tkit/ingest/components"
	"tkit/ingest/deadletter"
)

// options run a pipeline without models once on images in the folder in beside its file.
func options(t *testing.T, pipeline string, images int) ingest.Options {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "pipeline.yaml")
	if err := os.WriteFile(file, []byte(pipeline), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range images {
		if err := os.WriteFile(filepath.Join(dir, "in", fmt.Sprintf("%d.jpg", i)), fmt.Appendf(nil, "image %d", i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return ingest.Options{Home: filepath.Join(dir, "home"), File: file, Once: true, Log: slog.New(slog.DiscardHandler), Counters: &components.Counters{}}
}

const search = `
name: search
input:
  tkit_directory: {path: in, settle: 10ms}
pipeline:
  processors:
    - sleep: {duration: 5ms}
    - mutation: meta number = if @tkit_source == "7.jpg" { "seven" } else { 1 }
output:
  tkit_opensearch:
    servers: ["${TEST_SERVER}"]
    index: pipeline
    create: true
`

// An OpenSearch that is killed and started again during a run ends with one document for
// each image. An image whose document it refuses is a dead letter.
func TestPipeline(t *testing.T) {
	t.Setenv("TEST_SERVER", server(t).URL())
	const n = 600
	if err := server(t).Do("PUT", "/pipeline", `{"mappings": {"properties": {"metadata": {"properties": {"number": {"type": "integer"}}}}}}`, nil); err != nil {
		t.Fatal(err)
	}
	o := options(t, search, n)
	ended := make(chan error, 1)
	go func() {
		_, err := ingest.Run(t.Context(), o)
		ended <- err
	}()
	until(t, func() bool { return o.Counters.Delivered.Load() > 20 })
	server(t).Kill()
	until(t, func() bool { return o.Counters.Failed.Load() > 10 })
	if delivered := o.Counters.Delivered.Load(); delivered == n-1 {
		t.Fatal("everything was delivered before the server was killed")
	}
	if err := server(t).Restart(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	sources := make(map[any]bool)
	all := documents(t, "pipeline")
	for id, d := range all {
		sources[d.Source["source"]] = true
		if id != d.Source["sha256"] {
			t.Errorf("the document %s is of %v", id, d.Source["sha256"])
		}
	}
	if len(all) != n-1 || len(sources) != n-1 {
		t.Errorf("%d documents of %d images", len(all), len(sources))
	}
	letters, err := deadletter.Open(filepath.Join(o.Home, "ingest/search/dead"))
	if err != nil {
		t.Fatal(err)
	}
	defer letters.Close()
	dead := 0
	for l, err := range letters.Letters(t.Context()) {
		dead++
		if err != nil || l.Source != "7.jpg" || l.Stage != "opensearch" || !strings.Contains(l.Cause, "failed to parse field [metadata.number]") {
			t.Errorf("%+v, %v", l, err)
		}
	}
	if dead != 1 {
		t.Errorf("%d dead letters", dead)
	}
}

// The document is what a mapping gives. A mapping that gives none fails its image.
func TestDocument(t *testing.T) {
	t.Setenv("TEST_SERVER", server(t).URL())
	text := strings.Replace(search, "index: pipeline", `index: document
    document: 'if @tkit_source == "7.jpg" { "text" } else { {"camera": "north", "image": @tkit_source} }'`, 1)
	o := options(t, text+"delivery: {attempts: 2}\n", 9)
	s, err := ingest.Run(t.Context(), o)
	if err != nil || s.Delivered != 8 || s.Dead != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	for _, d := range documents(t, "document") {
		if len(d.Source) != 2 || d.Source["camera"] != "north" || d.Source["image"] == "7.jpg" {
			t.Errorf("%+v", d)
		}
	}
}

// A run ends, and the images stay, if the password is wrong or the index is missing. The
// password is neither in the error nor in the log.
func TestMisconfigured(t *testing.T) {
	address, ca := guard(t)
	t.Setenv("TEST_SERVER", address)
	t.Setenv("TEST_PASSWORD", "let-me-in-not")
	secured := strings.Replace(search, "create: true", "user: tkit\n    password: ${TEST_PASSWORD}\n    ca: "+ca, 1)
	for want, password := range map[string]string{"401": "let-me-in-not", "does not exist": "let-me-in"} {
		t.Setenv("TEST_PASSWORD", password)
		o := options(t, strings.Replace(secured, "index: pipeline", "index: none", 1), 1)
		var log bytes.Buffer
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		_, err := ingest.Run(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error()+log.String(), "let-me-in") {
			t.Errorf("%v\n%s", err, log.String())
		}
		if o.Counters.Delivered.Load()+o.Counters.Dead.Load() != 0 {
			t.Error("an image is not kept")
		}
	}
}

// until waits for a condition.
func until(t *testing.T, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("timed out")
		}
	}
}
