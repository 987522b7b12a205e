package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Only folders of processes whose tkit was killed are removed.
func TestFoldersAreTidied(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	mine, err := newFolder()
	if err != nil {
		t.Fatal(err)
	}
	lately := filepath.Join(dir, "tkit-plugin-lately")
	killed := filepath.Join(dir, "tkit-plugin-killed")
	other := filepath.Join(dir, "other")
	link := filepath.Join(dir, "tkit-plugin-link")
	for _, folder := range []string{lately, killed, other} {
		if err := os.MkdirAll(filepath.Join(folder, "plugin-dir"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(other, link); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	for _, folder := range []string{mine.path, killed, other} {
		if err := os.Chtimes(folder, long, long); err != nil {
			t.Fatal(err)
		}
	}
	tidyFoldersOlderThan(time.Minute)
	for path, stays := range map[string]bool{mine.path: true, lately: true, other: true, link: true, killed: false} {
		if _, err := os.Lstat(path); (err == nil) != stays {
			t.Errorf("%s: %v, stays %t", filepath.Base(path), err, stays)
		}
	}
	if err := mine.remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(mine.path); err == nil {
		t.Error("a folder outlives its process")
	}
}
