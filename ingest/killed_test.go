package ingest_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tkit/catalog"
	"tkit/inference/inferencetest"
	"tkit/ingest"
	"tkit/ingest/deadletter"
	"tkit/internal/needs"
)

// The variables with which the tests start their own program as a process that runs a
// pipeline once.
const (
	childPipeline = "TKIT_TEST_PIPELINE"
	childHome     = "TKIT_TEST_HOME"
)

// runChild runs a pipeline once and returns the exit status.
func runChild(file, home string) int {
	ctx := context.Background()
	k, err := catalog.Open(ctx, catalog.Options{Home: home})
	if err == nil {
		defer k.Close()
		who, _ := catalog.Self("")
		_, err = ingest.Run(ctx, ingest.Options{
			Home: home, File: file, Once: true, Catalog: k, Caller: who, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// kills is how often a pipeline is killed in each way of TestKilled; make soak sets
// more by TKIT_KILLS.
func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv("TKIT_KILLS")
	if text == "" {
		return 2
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("TKIT_KILLS: %v", err)
	}
	return n
}

const killed = `
name: killed
input:
  tkit_directory:
    path: in
    settle: 10ms
    after: AFTER
    archive: ARCHIVE
pipeline:
  processors:
    - sleep: {duration: 2ms}
    - tkit_classify: {models: [flowers]}
output:
  broker:
    outputs:
      - tkit_folder: {path: a}
      - tkit_folder: {path: b}
      - tkit_sql: {driver: sqlite, path: c.db, table: images, create: true}
`

// A pipeline that is killed again and again at any point ends with each good image in
// each sink once, and each bad one in the dead letters once.
func TestKilled(t *testing.T) {
	needs.Minutes(t)
	for _, after := range []string{"keep", "delete", "archive"} {
		t.Run(after, func(t *testing.T) {
			p := newPlace(t)
			n := 100 + 50*kills(t)
			for i := range n {
				image := inferencetest.JPEG(t, uint64(i))
				if i%10 == 0 {
					image = fmt.Appendf(nil, "no image %d", i)
				}
				p.write(t, fmt.Sprintf("in/%d/%d.jpg", i%3, i), image)
			}
			archive := `""`
			if after == "archive" {
				archive = "done"
			}
			file := p.write(t, "pipeline.yaml", []byte(strings.NewReplacer("AFTER", after, "ARCHIVE", archive).Replace(killed)))
			good, bad := n-n/10, n/10
			for range kills(t) {
				p.kill(t, file)
			}
			if out, err := p.child(t, file).CombinedOutput(); err != nil {
				t.Fatalf("the last run: %v\n%s", err, out)
			}
			for _, sink := range []string{"a", "b"} {
				p.checkFiles(t, sink, good)
				if records := p.records(t, sink); len(records) != good {
					t.Errorf("%s has records of %d images, want %d", sink, len(records), good)
				}
			}
			if rows := p.rows(t, "c.db"); rows != good {
				t.Errorf("the table has %d rows, want %d", rows, good)
			}
			p.checkDead(t, bad)
			p.checkSource(t, after, n)
		})
	}
}

// child returns the command of a process that runs a pipeline once.
func (p *place) child(t *testing.T, file string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childPipeline+"="+file, childHome+"="+p.home.Path)
	return cmd
}

// kill runs a pipeline and kills it after it has delivered some more images, or ends
// without.
func (p *place) kill(t *testing.T, file string) {
	t.Helper()
	cmd := p.child(t, file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	enough := p.count(t, "a") + rand.IntN(80)
	for p.count(t, "a") < enough {
		select {
		case <-ended:
			return
		case <-time.After(time.Millisecond):
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Log(err) // it has just ended
	}
	<-ended
}

// count returns the number of records in a sink.
func (p *place) count(t *testing.T, sink string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, sink, "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// rows returns the number of rows of the table images, whose key is unique.
func (p *place) rows(t *testing.T, file string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(p.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM images").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (p *place) checkDead(t *testing.T, want int) {
	t.Helper()
	folder := filepath.Join(p.home.Path, "ingest/killed/dead")
	store, err := deadletter.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	sources := make(map[string]bool)
	for l, err := range store.Letters(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if l.Cause == "" || sources[l.Source] {
			t.Errorf("letter %+v", l)
		}
		sources[l.Source] = true
	}
	if images, err := filepath.Glob(filepath.Join(folder, "*.image")); err != nil || len(sources) != want || len(images) != want {
		t.Errorf("%d dead letters and %d images, %v; want %d", len(sources), len(images), err, want)
	}
}

// checkSource checks the folder of the input after everything was delivered.
func (p *place) checkSource(t *testing.T, after string, n int) {
	t.Helper()
	for folder, want := range map[string]int{
		"in":   map[string]int{"keep": n}[after],
		"done": map[string]int{"archive": n}[after],
	} {
		files, err := filepath.Glob(filepath.Join(p.dir, folder, "*", "*.jpg"))
		if err != nil || len(files) != want {
			t.Errorf("%s has %d files, %v; want %d", folder, len(files), err, want)
		}
	}
}

// While a sink is down, the other one goes on only with the images in flight, and
// afterwards both have all images.
func TestSinkDown(t *testing.T) {
	p := newPlace(t)
	for i := range 200 {
		p.write(t, fmt.Sprintf("in/x/%d.jpg", i), inferencetest.JPEG(t, uint64(i)))
	}
	obstacle := p.write(t, "b", []byte("a file where the folder should be"))
	o := p.options(p.write(t, "pipeline.yaml", []byte(strings.NewReplacer("AFTER", "delete", "ARCHIVE", `""`).Replace(killed))))
	ended := make(chan error, 1)
	go func() {
		_, err := ingest.Run(t.Context(), o)
		ended <- err
	}()
	until(t, func() bool { return p.count(t, "a") > 0 })
	if read, delivered := o.Counters.Read.Load(), o.Counters.Delivered.Load(); read > 64 || delivered > 0 {
		t.Errorf("%d images were read and %d count as delivered", read, delivered)
	}
	if err := os.Remove(obstacle); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	p.checkFiles(t, "a", 200)
	p.checkFiles(t, "b", 200)
	if c := o.Counters; c.Dead.Load() > 0 || c.Delivered.Load() != 200 {
		t.Errorf("delivered %d, dead %d", c.Delivered.Load(), c.Dead.Load())
	}
}
