package folder_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tkit/ingest/folder"
	"tkit/ingest/sink"
)

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new/sink")
	f, err := folder.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for _, content := range []string{"first", "second"} {
		if err := f.Put(ctx, "a/b", []sink.File{{Name: "1", Content: []byte(content)}, {Name: "2"}}); err != nil {
			t.Fatal(err)
		}
	}
	if content, err := os.ReadFile(filepath.Join(path, "a/b/1")); err != nil || string(content) != "second" {
		t.Errorf("read %q, %v", content, err)
	}
	if size, err := f.Size(ctx, "a/b/1"); err != nil || size != 6 {
		t.Errorf("size %d, %v", size, err)
	}
	for _, name := range []string{"a/b/3", "a/b"} {
		if _, err := f.Size(ctx, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the size of %s: %v", name, err)
		}
	}
	for range 2 { // also again, and after it was removed
		if err := f.MakeFolder(ctx, "a/empty"); err != nil {
			t.Fatal(err)
		}
		if names, err := f.Names(ctx, "a"); err != nil || !slices.Equal(names, []string{"b", "empty"}) {
			t.Errorf("names %q, %v", names, err)
		}
		if err := f.Remove(ctx, "a", "empty", "missing"); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := f.Names(ctx, "missing"); err != nil || len(names) > 0 {
		t.Errorf("names %q, %v", names, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) != 1 {
		t.Errorf("left %v, %v", entries, err)
	}
}
