package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkit/catalog"
	"tkit/inference/inferencetest"
	"tkit/ingest"
	"tkit/ingest/pipelines"
	"tkit/internal/needs"
)

// The variables with which the test starts its own program as a process that runs a
// pipeline once.
const (
	childPipeline = "TKIT_TEST_PIPELINE"
	childHome     = "TKIT_TEST_HOME"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(childPipeline); file != "" {
		os.Exit(runChild(file, os.Getenv(childHome)))
	}
	os.Exit(m.Run())
}

func runChild(file, home string) int {
	ctx := context.Background()
	k, err := catalog.Open(ctx, catalog.Options{Home: home})
	if err == nil {
		defer k.Close()
		who, _ := catalog.Self("")
		_, err = ingest.Run(ctx, ingest.Options{Home: home, File: file, Once: true, Catalog: k, Caller: who, Log: slog.New(slog.DiscardHandler)})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// newJob writes images, other files and the pipeline "full".
func newJob(t *testing.T) job {
	t.Helper()
	home := inferencetest.New(t)
	home.Serve(t, "flowers")
	j := job{folder: t.TempDir(), command: []string{os.Args[0]}}
	write := func(name string, content []byte) {
		t.Helper()
		path := filepath.Join(j.folder, "incoming", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 150 {
		write(fmt.Sprintf("good/%s-%d.jpg", []string{"north", "south", "east"}[i%3], i), inferencetest.JPEG(t, uint64(i)))
	}
	write("good/north-copy.jpg", inferencetest.JPEG(t, 0))
	write("bad/empty.jpg", nil)
	write("bad/text.jpg", []byte("no image"))
	file := filepath.Join(j.folder, "cameras.yaml")
	if err := pipelines.Write(file, pipelines.Options{Pipeline: "full", Model: "flowers"}); err != nil {
		t.Fatal(err)
	}
	t.Setenv(childPipeline, file)
	t.Setenv(childHome, home.Path)
	return j
}

// Every image is in each sink exactly once, although the first run is killed. If one were
// not, the comparison would notice.
func TestSinks(t *testing.T) {
	needs.JVM(t)
	needs.Postgres(t)
	j := newJob(t)
	want, err := readFiles(filepath.Join(j.folder, "incoming"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := startServers(t.Context())
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := j.demonstrate(t.Context(), &out, s); err != nil {
		log, _ := os.ReadFile(filepath.Join(j.folder, "run.log"))
		t.Fatalf("%v\n%s\n%s", err, out.String(), log)
	}
	for _, text := range []string{"150 images in 151 files", "mail: 1, about 151 files", "bad/empty.jpg  classify", "bad/text.jpg   classify", "unknown: 50", "exactly once, and"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("there is no %q in\n%s", text, out.String())
		}
	}
	dead := filepath.Join(j.folder, "dead")
	one := ""
	for one = range want.good {
		break
	}
	for what, spoil := range map[string]func() error{
		"PostgreSQL: rows of images: 1 images are missing": func() error {
			_, err := s.db.ExecContext(t.Context(), "DELETE FROM images WHERE sha256 = $1", one)
			return err
		},
		"OpenSearch: documents of images: 1 images are missing": func() error { return s.opensearch.Do("DELETE", "/images/_doc/"+one, "", nil) },
		"1 should not be there":                                 func() error { s.kafka.Put(t, topic, &kgo.Record{Key: []byte("other")}); return nil },
		".jpg has no record": func() error {
			names, err := s.namesIn(t.Context(), folder)
			for name := range names {
				if strings.HasSuffix(name, one+".json") {
					_, err = s.hdfs.Web(t.Context(), "DELETE", name, "op", "DELETE")
				}
			}
			return err
		},
		"there is no dead letter of bad/text.jpg": func() error {
			letters, err := filepath.Glob(filepath.Join(dead, "*.json"))
			for _, l := range letters {
				if text, _ := os.ReadFile(l); strings.Contains(string(text), "text.jpg") {
					err = os.Remove(l)
				}
			}
			return err
		},
		"mail: 152 files": func() error { s.mail.subjects = append(s.mail.subjects, "cameras: 1 new image"); return nil },
	} {
		if err := spoil(); err != nil {
			t.Fatal(what, err)
		}
		if err := s.compare(t.Context(), io.Discard, want, dead); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("without %q: %v", what, err)
		}
	}
}

func TestCount(t *testing.T) {
	got := count("a", map[string]bool{"1": true, "2": true, "3": true}, map[string]int{"1": 1, "2": 2, "4": 1})
	if want := (tally{"a", 1, 1, 1, 1}); got != want || got.err() == nil {
		t.Errorf("%+v, %v", got, got.err())
	}
}
