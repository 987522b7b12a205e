package deadletter_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tkit/ingest/deadletter"
)

func TestStore(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "dead")
	s, err := deadletter.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, l := range []deadletter.Letter{
		{Source: "a.jpg", Stage: "classify", Cause: "truncated", Attempts: 1},
		{Source: "b.jpg", Stage: "classify", Cause: "truncated", Attempts: 1},
		{Source: "a.jpg", Stage: "folder", Cause: "disk full", Attempts: 3, Metadata: map[string]any{"camera": "4"}},
	} {
		if err := s.Put(t.Context(), l, []byte("no image")); err != nil {
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
	if a := got["a.jpg"]; len(got) != 2 || a.Cause != "disk full" || a.Attempts != 1+3 || a.Metadata["camera"] != "4" {
		t.Errorf("letters %+v", got)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1+4 {
		t.Errorf("files %v, %v", entries, err)
	}
}

func TestRemove(t *testing.T) {
	folder := t.TempDir()
	s, err := deadletter.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func() (l deadletter.Letter) {
		t.Helper()
		if err := s.Put(t.Context(), deadletter.Letter{Source: "a.jpg", Attempts: 1, Time: time.Now()}, []byte("image")); err != nil {
			t.Fatal(err)
		}
		for found, err := range s.Letters(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			l = found
		}
		return l
	}
	first := put()
	if image, err := s.Image(t.Context(), first); err != nil || string(image) != "image" {
		t.Errorf("image %q, %v", image, err)
	}
	second := put()
	for i, l := range []deadletter.Letter{first, second} { // the first was put again
		if err := s.Remove(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1+2*(1-i) {
			t.Errorf("after the removal of letter %d: %v, %v", i, entries, err)
		}
	}
	damaged := put()
	if err := os.WriteFile(filepath.Join(folder, damaged.ID+".image"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Image(t.Context(), damaged); err == nil {
		t.Error("a changed image is returned")
	}
}

func TestDamagedLetters(t *testing.T) {
	folder := t.TempDir()
	s, err := deadletter.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Put(t.Context(), deadletter.Letter{Source: "a.jpg"}, nil); err != nil {
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

// The letter of a file has no content, and is removed when the file was delivered.
func TestFile(t *testing.T) {
	folder := t.TempDir()
	s, err := deadletter.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2 {
		l := deadletter.Letter{Source: "large.jpg", File: "/in/large.jpg", Size: 1 << 40, Cause: "too large", Attempts: 1, Time: time.Now().UTC()}
		if err := s.Put(t.Context(), l, nil); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for l, err := range s.Letters(t.Context()) {
		if n++; err != nil || l.File != "/in/large.jpg" || l.Size != 1<<40 || l.SHA256 != "" || l.Attempts != 2 {
			t.Errorf("%+v, %v", l, err)
		}
		if _, err := s.Image(t.Context(), l); err == nil || !strings.Contains(err.Error(), "/in/large.jpg") {
			t.Errorf("its image: %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d letters", n)
	}
	for _, file := range []string{"/other/large.jpg", "/in/large.jpg", "/in/large.jpg"} {
		if err := s.Forget("large.jpg", file); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(folder, "[0-9a-f]*")); err != nil || len(left) > 0 {
		t.Errorf("left %q, %v", left, err)
	}
}
