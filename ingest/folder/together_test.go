package folder_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"tkit/ingest/folder"
	"tkit/ingest/sink"
)

// Images that become durable together are independent: one that fails leaves nothing
// behind, and the others are there.
func TestTogether(t *testing.T) {
	path := t.TempDir()
	f, err := folder.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	const images, folders = 300, 10
	if err := os.MkdirAll(filepath.Join(path, "0", "7"), 0o700); err != nil { // in the way of a file
		t.Fatal(err)
	}
	var running sync.WaitGroup
	errs := make([]error, images)
	for i := range images {
		running.Go(func() {
			name := fmt.Sprint(i)
			if i%folders == 0 && i%70 == 0 {
				name = "7"
			}
			errs[i] = f.Put(t.Context(), fmt.Sprint(i%folders), []sink.File{{Name: name, Content: []byte(name)}, {Name: fmt.Sprint(i, ".json")}})
		})
	}
	running.Wait()
	for i, err := range errs {
		bad := i%70 == 0
		if (err != nil) != bad {
			t.Errorf("image %d: %v", i, err)
		}
		content, err := os.ReadFile(filepath.Join(path, fmt.Sprint(i%folders), fmt.Sprint(i)))
		if !bad && (err != nil || string(content) != fmt.Sprint(i)) {
			t.Errorf("image %d: %q, %v", i, content, err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != folders {
		t.Errorf("left %v, %v", entries, err)
	}
}
