package hdfs_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"tkit/catalog"
	"tkit/inference/inferencetest"
	"tkit/ingest"
	"tkit/ingest/components"
	"tkit/ingest/pipelines"
)

// ready writes a ready pipeline for the model flowers, with files that settle at once and
// few slow images at a time, and returns how to run it.
func ready(t *testing.T, o pipelines.Options) ingest.Options {
	t.Helper()
	home := inferencetest.New(t)
	home.Serve(t, "flowers")
	k, err := catalog.Open(t.Context(), catalog.Options{Home: home.Path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	who, err := catalog.Self("")
	if err != nil {
		t.Fatal(err)
	}
	o.Model = "flowers"
	file := filepath.Join(t.TempDir(), "ready.yaml")
	if err := pipelines.Write(file, o); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer("    after:", "    settle: 1ms\n    after:", "in_flight: 256", "in_flight: 8",
		"  processors:\n", "  processors:\n    - sleep: {duration: 20ms}\n").Replace(string(text))
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return ingest.Options{
		Home: home.Path, File: file, Once: true, Catalog: k, Caller: who, Log: slog.New(slog.DiscardHandler), Counters: &components.Counters{},
	}
}

// The ready pipeline "batch" goes on where a run was stopped, and a later run reads only
// what is new.
func TestBatch(t *testing.T) {
	p := newPlace(t)
	const images = 150
	root := path.Dir(p.config.Root)
	arrived := map[string][]byte{root + "/in/text.jpg": []byte("no image")}
	for i := range images {
		arrived[fmt.Sprintf("%s/in/%d/%d.jpg", root, i%3, i)] = inferencetest.JPEG(t, uint64(i))
	}
	p.arrive(t, arrived)
	o := ready(t, pipelines.Options{Pipeline: "batch", From: "hdfs://" + root + "/in"})
	stopped, stop := context.WithCancel(t.Context())
	go func() {
		for o.Counters.Delivered.Load() == 0 && stopped.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		stop()
	}()
	first, err := ingest.Run(stopped, o)
	stop()
	if err != nil {
		t.Fatal(err)
	}
	run := func() ingest.Summary {
		t.Helper()
		o.Counters = &components.Counters{}
		s, err := ingest.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	second := run()
	if first.Delivered == 0 || second.Delivered == 0 || first.Delivered+second.Delivered != images || first.Dead+second.Dead != 1 {
		t.Errorf("the runs delivered %d and %d of %d images", first.Delivered, second.Delivered, images)
	}
	p.arrive(t, map[string][]byte{root + "/in/late.jpg": inferencetest.JPEG(t, images)})
	if late := run(); late.Delivered != 1 || late.Dead != 0 {
		t.Errorf("a later run: %+v", late)
	}
	db, err := sql.Open("sqlite", filepath.Join(filepath.Dir(o.File), "results.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows int
	if err := db.QueryRow("SELECT count(*) FROM images WHERE label <> ''").Scan(&rows); err != nil || rows != images+1 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// The ready pipeline "hdfs" writes images into a folder for each day and label.
func TestPartitions(t *testing.T) {
	p := newPlace(t)
	in := t.TempDir()
	for i := range 5 {
		if err := os.WriteFile(filepath.Join(in, fmt.Sprintf("%d.jpg", i)), inferencetest.JPEG(t, uint64(i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := ready(t, pipelines.Options{Pipeline: "hdfs", From: in, To: "hdfs://" + p.config.Root})
	if s, err := ingest.Run(t.Context(), o); err != nil || s.Delivered != 5 {
		t.Fatalf("%+v, %v", s, err)
	}
	files := 0
	for _, day := range p.names(t, "") {
		if !strings.HasPrefix(day, "date=") {
			continue // the pipeline's own
		}
		for _, label := range p.names(t, day) {
			if !strings.HasPrefix(label, "label=class ") {
				t.Errorf("folder %s/%s", day, label)
			}
			files += len(p.names(t, path.Join(day, label)))
		}
	}
	left, err := os.ReadDir(in)
	if err != nil || files != 2*5 || len(left) > 0 {
		t.Errorf("%d files of 5 images; %d left, %v", files, len(left), err)
	}
}
