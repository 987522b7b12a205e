package deadletter_test

import (
	"os"
	"path/filepath"
	"testing"

	"tkit/ingest/deadletter"
)

func TestStore(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "dead")
	s, err := deadletter.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []deadletter.Letter{
		{Source: "a.jpg", Stage: "classify", Cause: "truncated", Attempts: 1},
		{Source: "b.jpg", Stage: "classify", Cause: "truncated", Attempts: 1},
		{Source: "a.jpg", Stage: "folder", Cause: "disk full", Attempts: 3, Metadata: map[string]any{"camera": "4"}},
	} {
		if err := s.Put(l, []byte("no image")); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]deadletter.Letter{}
	for l, err := range s.Letters(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got[l.Source] = l
		image, err := os.ReadFile(filepath.Join(folder, l.ID+".image"))
		if err != nil || string(image) != "no image" || l.Size != int64(len(image)) {
			t.Errorf("the image of %s is %q, %v", l.Source, image, err)
		}
	}
	if a := got["a.jpg"]; len(got) != 2 || a.Cause != "disk full" || a.Attempts != 3 || a.Metadata["camera"] != "4" {
		t.Errorf("letters %+v", got)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 4 {
		t.Errorf("files %v, %v", entries, err)
	}
}

func TestDamagedLetters(t *testing.T) {
	folder := t.TempDir()
	s, err := deadletter.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(deadletter.Letter{Source: "a.jpg"}, nil); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"torn.json": `{"id": "to`, "other.json": `{"id": "other", "source": "x"}`} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good, bad := 0, 0
	for _, err := range s.Letters(t.Context()) {
		if err != nil {
			bad++
		} else {
			good++
		}
	}
	if good != 1 || bad != 2 {
		t.Errorf("%d letters and %d errors, want 1 and 2", good, bad)
	}
}
