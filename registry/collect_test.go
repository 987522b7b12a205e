package registry_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"tkit/internal/db"
	"tkit/registry"
)

func blobsOf(t *testing.T, home string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(home, "blobs", "sha256", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

// unused puts a blob that no version refers to into a home.
func unused(t *testing.T, home string) {
	t.Helper()
	const digits = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	path := filepath.Join(home, "blobs", "sha256", digits[:2], digits)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o400)); err != nil {
		t.Fatal(err)
	}
}

// If the tables contradict each other, or cannot be read, nothing is removed.
func TestCollectRemovesNothingUncertain(t *testing.T) {
	for name, statement := range map[string]string{
		"a manifest that is no JSON": "UPDATE versions SET manifest = '{' WHERE model = 'cars'",
		"parts lost":                 "DELETE FROM parts",
		"a version lost":             "PRAGMA foreign_keys = 0; DELETE FROM parts WHERE model = 'cars'; DELETE FROM versions WHERE model = 'cars'",
		"the end of history lost":    "PRAGMA foreign_keys = 0; DELETE FROM aliases; DELETE FROM events WHERE id > 2; DELETE FROM parts WHERE model = 'cars'; DELETE FROM versions WHERE model = 'cars'",
		"a deletion forged":          "INSERT INTO deletions VALUES ('cars', 1, 1)",
		"all rows lost":              "PRAGMA foreign_keys = 0; DELETE FROM deletions; DELETE FROM aliases; DELETE FROM events; DELETE FROM parts; DELETE FROM versions; DELETE FROM models",
		"a table lost":               "PRAGMA foreign_keys = 0; DROP TABLE parts",
	} {
		home, _ := furnished(t)
		unused(t, home)
		before := blobsOf(t, home)
		tamper(t, home, statement)
		r := open(t, home)
		c, err := r.Collect(t.Context(), false)
		if err == nil || name != "a table lost" && !errors.Is(err, registry.ErrUncertain) || len(c.Blobs) > 0 {
			t.Errorf("%s: removed %v, %v", name, c.Blobs, err)
		}
		if n := blobsOf(t, home); n != before {
			t.Errorf("%s: %d of %d blobs are left", name, n, before)
		}
	}
}

// Collect frees space on a full disk, on which the registry cannot be opened
// normally.
func TestCollectOnAFullDisk(t *testing.T) {
	kept, _ := furnished(t)
	unused(t, kept)
	disk := t.TempDir()
	if err := unix.Mount("none", disk, "tmpfs", 0, "size=1m,mode=700"); errors.Is(err, unix.EPERM) {
		t.Skip("this account may not mount the disk that is to be full")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	home := filepath.Join(disk, "home")
	if err := os.CopyFS(home, os.DirFS(kept)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"registry.db", "identity"} { // CopyFS widens modes
		if err := os.Chmod(filepath.Join(home, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, filepath.Join(disk, "fill"))
	if _, err := registry.Open(t.Context(), home); !errors.Is(err, db.ErrFull) {
		t.Errorf("opened: %v", err)
	}
	before := blobsOf(t, home)
	r, err := registry.OpenToCollect(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Collect(t.Context(), false)
	if err != nil || len(c.Blobs) != 1 || blobsOf(t, home) != before-1 {
		t.Errorf("removed %v, %v", c.Blobs, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(disk, "fill")); err != nil {
		t.Fatal(err)
	}
	r, err = registry.Open(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	sound(t, r)
	fill(t, filepath.Join(disk, "fill"))
	if _, err := r.Register(t.Context(), registration("flowers", "head 9")); !errors.Is(err, db.ErrFull) && !errors.Is(err, unix.ENOSPC) {
		t.Errorf("registered: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCollectTidiesRuns(t *testing.T) {
	home, _ := furnished(t)
	left := filepath.Join(home, registry.WorkPrefix+"1")
	if err := errors.Join(os.Mkdir(left, 0o700), os.WriteFile(filepath.Join(left, "file"), make([]byte, 100), 0o600)); err != nil {
		t.Fatal(err)
	}
	r := open(t, home)
	for _, dry := range []bool{true, false} {
		c, err := r.Collect(t.Context(), dry)
		if err != nil || c.Leavings != 1 || c.Bytes != 100 {
			t.Errorf("dry %t: %+v, %v", dry, c, err)
		}
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of a killed run: %v", err)
	}
}
