package ingest_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tkit/access"
	"tkit/catalog"
	"tkit/inference/inferencetest"
	"tkit/ingest"
	"tkit/ingest/components"
	"tkit/ingest/deadletter"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(childPipeline); file != "" {
		os.Exit(runChild(file, os.Getenv(childHome)))
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("tkit/internal/testserver.startAll")) // it is permanent
}

// A place is a home with the models flowers and herbs, and a folder for pipelines.
type place struct {
	home    *inferencetest.Home
	catalog *catalog.Catalog
	caller  access.Caller
	dir     string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{home: inferencetest.New(t), dir: t.TempDir()}
	p.home.Serve(t, "flowers", "herbs")
	var err error
	if p.catalog, err = catalog.Open(t.Context(), catalog.Options{Home: p.home.Path}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.catalog.Close(); err != nil {
			t.Error(err)
		}
	})
	if p.caller, err = catalog.Self(""); err != nil {
		t.Fatal(err)
	}
	return p
}

// write writes a file below the place's folder.
func (p *place) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	hidden := filepath.Join(filepath.Dir(path), ".writing")
	if err := os.WriteFile(hidden, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(hidden, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func (p *place) options(file string) ingest.Options {
	return ingest.Options{
		Home: p.home.Path, File: file, Once: true, Catalog: p.catalog, Caller: p.caller,
		Log: slog.New(slog.DiscardHandler), Counters: &components.Counters{},
	}
}

// A record is what tkit_folder writes about an image.
type record struct {
	SHA256  string
	Source  string
	Size    int
	Model   string
	Version int
	Label   string
	Results []struct {
		Model, Alias, Preprocessing string
		Version                     int
		Labels                      []struct {
			Label       string
			Probability float64
		}
		RestrictedBy []string `json:"restricted_by"`
	}
	Metadata map[string]any
}

// records reads the records in a folder, by the source of the image.
func (p *place) records(t *testing.T, folder string) map[string]record {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, folder, "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]record)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r record
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		all[r.Source] = r
	}
	return all
}

// checkFiles checks that a folder has a number of images, each with its record, and
// nothing else.
func (p *place) checkFiles(t *testing.T, folder string, images int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, folder, "*", "*"))
	if err != nil || len(files) != 2*images {
		t.Errorf("%s has %d files, %v; want %d", folder, len(files), err, 2*images)
	}
	for i := 0; i+1 < len(files); i += 2 {
		if record, is := strings.CutSuffix(files[i+1], ".json"); !is || strings.TrimSuffix(files[i], ".jpg") != record {
			t.Errorf("not an image and its record: %q", files[i:i+2])
		}
	}
}

const simple = `
name: test
input:
  tkit_directory:
    path: in
    settle: 10ms
    after: delete
pipeline:
  processors:
    - tkit_classify:
        models: [flowers, herbs@1]
        top: 2
output:
  tkit_folder:
    path: out
`

func TestRun(t *testing.T) {
	p := newPlace(t)
	for i := range 40 {
		p.write(t, fmt.Sprintf("in/%d/%d.jpg", i%3, i), inferencetest.JPEG(t, uint64(i)))
	}
	p.write(t, "in/empty.jpg", nil)
	p.write(t, "in/text.jpg", []byte("no image"))
	p.write(t, "in/torn.jpg", inferencetest.JPEG(t, 99)[:300])
	o := p.options(p.write(t, "pipeline.yaml", []byte(simple)))
	var log strings.Builder
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	s, err := ingest.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if s.Pipeline != "test" || s.Delivered != 40 || s.Dead != 3 || s.DeadLetters != filepath.Join(p.home.Path, "ingest/test/dead") {
		t.Errorf("%+v", s)
	}
	if c := o.Counters; c.Read.Load() != 43 || c.Delivered.Load() != 40 || c.Dead.Load() != 3 {
		t.Errorf("read %d, delivered %d, dead %d", c.Read.Load(), c.Delivered.Load(), c.Dead.Load())
	}
	if dead := strings.Count(log.String(), "torn.jpg"); dead != 1 || strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("the log tells %d times of a bad image:\n%s", dead, log.String())
	}
	records := p.records(t, "out")
	p.checkFiles(t, "out", 40)
	if len(records) != 40 {
		t.Errorf("%d records", len(records))
	}
	for source, r := range records {
		first := r.Results[0]
		if first.Model != "flowers" || first.Alias != "production" || first.Version != 1 || first.Preprocessing == "" || len(first.Labels) != 2 ||
			first.RestrictedBy == nil || r.Label != first.Labels[0].Label || r.Results[1].Model != "herbs" || r.Results[1].Alias != "" {
			t.Errorf("%s: %+v", source, r)
		}
	}
	letters, err := deadletter.Open(s.DeadLetters)
	if err != nil {
		t.Fatal(err)
	}
	defer letters.Close()
	causes := make(map[string]string)
	for l, err := range letters.Letters(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if l.Stage != "classify" || l.Attempts != 1 {
			t.Errorf("%+v", l)
		}
		causes[l.Source] = l.Cause
	}
	for source, want := range map[string]string{"empty.jpg": "empty", "text.jpg": "", "torn.jpg": ""} {
		if cause, dead := causes[source]; !dead || !strings.Contains(cause, want) {
			t.Errorf("%s: cause %q", source, cause)
		}
	}
	if left, err := filepath.Glob(filepath.Join(p.dir, "in/*.jpg")); err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
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

// An image for which a mapping fails gets all its attempts, and is never written, also
// where the engine's own mode for that is off.
func TestFailedImagesAreNotWritten(t *testing.T) {
	p := newPlace(t)
	p.write(t, "in/good.jpg", inferencetest.JPEG(t, 1))
	p.write(t, "in/bad.jpg", inferencetest.JPEG(t, 2))
	o := p.options(p.write(t, "pipeline.yaml", []byte(`
name: failing
delivery:
  attempts: 2
  dead_letters: dead
input:
  tkit_directory: {path: in, settle: 10ms}
pipeline:
  processors:
    - mutation: |
        meta camera = @camera.catch("none")
        meta checked = if @tkit_source == "bad.jpg" { throw("unwanted") } else { true }
output:
  broker:
    outputs:
      - tkit_folder: {path: a}
      - tkit_folder: {path: b}
        processors:
          - mutation: meta b = true
`)))
	for _, run := range []string{"first", "second"} { // what was kept is not read again
		if _, err := ingest.Run(t.Context(), o); err != nil {
			t.Fatal(run, err)
		}
		for _, folder := range []string{"a", "b"} {
			records := p.records(t, folder)
			if r := records["good.jpg"]; len(records) != 1 || r.Metadata["checked"] != true || (folder == "b") != (r.Metadata["b"] == true) {
				t.Errorf("%s run: %s has %+v", run, folder, records)
			}
		}
		if c := o.Counters; c.Read.Load() != 2 || c.Delivered.Load() != 1 || c.Failed.Load() != 2 || c.Dead.Load() != 1 {
			t.Errorf("%s run: read %d, delivered %d, failed %d, dead %d", run, c.Read.Load(), c.Delivered.Load(), c.Failed.Load(), c.Dead.Load())
		}
	}
	if dead, err := filepath.Glob(filepath.Join(p.dir, "dead/*.image")); err != nil || len(dead) != 1 {
		t.Errorf("dead letters %q, %v", dead, err)
	}
}

// Dead letters are delivered by a replay after the pipeline was repaired, and stay as
// long as it is not.
func TestReplay(t *testing.T) {
	p := newPlace(t)
	p.write(t, "in/good.jpg", inferencetest.JPEG(t, 1))
	p.write(t, "in/bad.jpg", []byte("no image"))
	p.write(t, "in/unlucky.jpg", inferencetest.JPEG(t, 2))
	broken := simple + `
delivery: {attempts: 1}
`
	broken = strings.Replace(broken, "  processors:\n", `  processors:
    - mutation: meta checked = if @tkit_source == "unlucky.jpg" { throw("a mistake") } else { true }
`, 1)
	o := p.options(p.write(t, "pipeline.yaml", []byte(broken)))
	run := func(delivered, dead int64) ingest.Summary {
		t.Helper()
		o.Counters = nil
		s, err := ingest.Run(t.Context(), o)
		if err != nil || s.Delivered != delivered || s.Dead != dead {
			t.Fatalf("%+v, %v; want %d delivered, %d dead", s, err, delivered, dead)
		}
		return s
	}
	s := run(1, 2)
	letters := func() map[string]deadletter.Letter {
		t.Helper()
		store, err := deadletter.Open(s.DeadLetters)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		all := make(map[string]deadletter.Letter)
		for l, err := range store.Letters(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			all[l.Source] = l
		}
		return all
	}
	o.Replay = true
	run(0, 2)
	if l := letters(); len(l) != 2 || l["unlucky.jpg"].Attempts != 2 {
		t.Errorf("after a replay without a repair: %+v", l)
	}
	p.write(t, "pipeline.yaml", []byte(simple))
	run(1, 1)
	if l := letters(); len(l) != 1 || l["bad.jpg"].Attempts != 3 {
		t.Errorf("after the repair: %+v", l)
	}
	p.checkFiles(t, "out", 2)
	if r := p.records(t, "out")["unlucky.jpg"]; r.Label == "" || r.Size == 0 {
		t.Errorf("%+v", r)
	}
}

// A file that is too large becomes a dead letter once, and is delivered when it is not
// too large any more.
func TestTooLarge(t *testing.T) {
	p := newPlace(t)
	image := inferencetest.JPEG(t, 1)
	large := p.write(t, "in/large.jpg", image)
	limited := strings.Replace(simple, "    settle:", "    max_bytes: 10\n    settle:", 1)
	o := p.options(p.write(t, "pipeline.yaml", []byte(limited)))
	run := func(delivered, dead, letters int) {
		t.Helper()
		o.Counters = nil
		s, err := ingest.Run(t.Context(), o)
		if err != nil || s.Delivered != int64(delivered) || s.Dead != int64(dead) {
			t.Fatalf("%+v, %v; want %d delivered, %d dead", s, err, delivered, dead)
		}
		files, err := filepath.Glob(filepath.Join(s.DeadLetters, "[0-9a-f]*"))
		if err != nil || len(files) != letters {
			t.Errorf("dead letters %q, %v; want %d", files, err, letters)
		}
		for _, file := range files {
			if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), large) || !strings.Contains(string(text), "10 are allowed") {
				t.Errorf("%s: %s, %v", file, text, err)
			}
		}
	}
	run(0, 1, 1)
	run(0, 0, 1)
	if content, err := os.ReadFile(large); err != nil || len(content) != len(image) {
		t.Errorf("the file has %d bytes, %v", len(content), err)
	}
	o.Replay = true
	run(0, 0, 1)
	o.Replay = false
	p.write(t, "pipeline.yaml", []byte(simple))
	run(1, 0, 0)
	p.checkFiles(t, "out", 1)
}

func TestRefusedRuns(t *testing.T) {
	p := newPlace(t)
	p.write(t, "in/a.jpg", nil)
	for want, text := range map[string]string{
		"not found":    strings.Replace(simple, "herbs@1", "roses", 1),
		"no such file": strings.Replace(simple, "path: in", "path: absent", 1),
		"settel":       strings.Replace(simple, "settle", "settel", 1),
	} {
		_, err := ingest.Run(t.Context(), p.options(p.write(t, "pipeline.yaml", []byte(text))))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
