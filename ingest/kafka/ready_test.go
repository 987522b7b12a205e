package kafka_test

import (
	"fmt"
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
)

// The ready pipeline "kafka" classifies the images of a topic into others.
func TestReadyPipeline(t *testing.T) {
	b := broker(t)
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
	file := filepath.Join(t.TempDir(), "ready.yaml")
	if err := pipelines.Write(file, pipelines.Options{Pipeline: "kafka", Model: "flowers"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	topics := make(map[string]string)
	for _, name := range []string{"incoming", "classified-images", "classified-records", "dead-images"} {
		topics[name] = b.Topic(t, name, 2)
		changed = strings.Replace(changed, name, topics[name], 1)
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KAFKA", b.Address())
	const images = 20
	for i := range images {
		b.Put(t, topics["incoming"], &kgo.Record{Key: fmt.Append(nil, i%3), Value: inferencetest.JPEG(t, uint64(i))})
	}
	b.Put(t, topics["incoming"], &kgo.Record{Value: []byte("no image")})
	s, err := ingest.Run(t.Context(), ingest.Options{Home: home.Path, File: file, Once: true, Catalog: k, Caller: who, Log: slog.New(slog.DiscardHandler)})
	if err != nil || s.Delivered != images || s.Dead != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	for name, want := range map[string]int{"classified-images": images, "classified-records": images, "dead-images": 1} {
		if records := b.Records(t, topics[name]); len(records) != want {
			t.Errorf("%s has %d records, want %d", name, len(records), want)
		}
	}
	for _, r := range b.Records(t, topics["classified-records"]) {
		if !strings.Contains(string(r.Value), `"label": "class `) {
			t.Errorf("record %s", r.Value)
		}
	}
}
