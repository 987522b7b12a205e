package home_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"tkit/internal/db"
	"tkit/internal/home"
)

func tables(name string) db.Schema {
	return db.Schema{Name: name, Migrations: fstest.MapFS{"0001_t.sql": {Data: []byte("CREATE TABLE t_" + name + " (x INTEGER) STRICT")}}}
}

func open(t *testing.T, folder, name string) error {
	t.Helper()
	d, err := home.Open(t.Context(), folder, tables(name))
	if err == nil {
		err = d.Close()
	}
	return err
}

func put(t *testing.T, folder, name, content string) {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpen(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "home [1]")
	if err := home.Exists(folder); !errors.Is(err, home.ErrNone) {
		t.Errorf("no home exists: %v", err)
	}
	for range 2 {
		for _, name := range []string{"registry", "access"} {
			if err := open(t, folder, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := home.Exists(folder); err != nil {
		t.Error(err)
	}
	id, err := os.ReadFile(filepath.Join(folder, "identity"))
	if err != nil || len(strings.TrimSpace(string(id))) != 32 {
		t.Errorf("the identity is %q, %v", id, err)
	}
}

// With any trace of use, a home without a database, or without those tables,
// has lost data.
func TestTraces(t *testing.T) {
	for _, trace := range []string{"identity", "blobs/sha256/00/0011", "audit/audit-000001.jsonl", "restricted/aa", home.Database + "-wal"} {
		folder := t.TempDir()
		put(t, folder, trace, "x")
		for _, name := range []string{"registry", "access"} {
			if err := open(t, folder, name); !errors.Is(err, home.ErrLost) || !strings.Contains(err.Error(), filepath.Join(folder, trace)) {
				t.Errorf("%s with %s: %v", name, trace, err)
			}
		}
		if _, err := os.Stat(filepath.Join(folder, home.Database)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("with %s a database was made: %v", trace, err)
		}
		if err := home.Exists(folder); err != nil && trace != home.Database+"-wal" {
			t.Errorf("with %s: %v", trace, err)
		}
	}
	for trace, owner := range map[string]string{"blobs/sha256/00/0011": "registry", "audit/audit-000001.jsonl": "access"} {
		folder := t.TempDir()
		other := map[string]string{"registry": "access", "access": "registry"}[owner]
		if err := open(t, folder, other); err != nil {
			t.Fatal(err)
		}
		put(t, folder, trace, "x")
		for _, name := range []string{owner, other} {
			if err := open(t, folder, name); !errors.Is(err, home.ErrLost) {
				t.Errorf("%s without the tables of %s: %v", name, owner, err)
			}
		}
	}
}

// Files that users put into a home before its first use, and the remains of a
// crash during creation, are not traces.
func TestNewHomes(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"access/groups.yaml", "plugins/x/plugin", "blobs/lock", "audit/lock"} {
		put(t, folder, name, "x")
	}
	if err := os.MkdirAll(filepath.Join(folder, "blobs", "sha256", "00"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, folder, home.Database, "")
	if err := open(t, folder, "access"); err != nil {
		t.Error(err)
	}
}

// A home made before identities existed gets one, once.
func TestOlderHome(t *testing.T) {
	folder := t.TempDir()
	d, err := db.Open(t.Context(), filepath.Join(folder, home.Database), tables("access"), tables("registry"))
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	put(t, folder, "audit/audit-000001.jsonl", "x")
	for range 2 {
		if err := open(t, folder, "access"); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(folder, "identity")); err != nil {
		t.Fatal(err)
	}
	if err := open(t, folder, "access"); !errors.Is(err, home.ErrForeign) {
		t.Errorf("the identity is taken from the database twice: %v", err)
	}
}

// Several processes create a home at the same time.
func TestOpenAtOnce(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "home")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if err := open(t, folder, []string{"registry", "access"}[i%2]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestCheck(t *testing.T) {
	above := t.TempDir()
	folder := filepath.Join(above, "home")
	for _, name := range []string{"registry", "access"} {
		if err := open(t, folder, name); err != nil {
			t.Fatal(err)
		}
	}
	put(t, folder, "audit/audit-000001.jsonl", "x")
	put(t, folder, "blobs/lock", "")
	for _, c := range []struct {
		path string
		mode fs.FileMode
		bad  bool
	}{
		{".", 0o777, true}, {".", 0o720, true}, {".", 0o755, false},
		{home.Database, 0o666, true}, {home.Database, 0o620, true}, {home.Database, 0o644, false},
		{"identity", 0o602, true}, {"blobs", 0o777, true}, {"audit", 0o730, true}, {"audit/audit-000001.jsonl", 0o622, true},
		{"..", 0o777, true}, {"..", fs.ModeSticky | 0o777, false}, {"..", 0o775, false},
	} {
		path := filepath.Join(folder, c.path)
		was, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		err = home.Check(folder)
		if (err != nil) != c.bad || c.bad && (!errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "chmod go-w")) {
			t.Errorf("%s with mode %v: %v", c.path, c.mode, err)
		}
		if err := os.Chmod(path, was.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	if err := home.Check(filepath.Join(above, "none", "home")); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(above, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := home.Check(filepath.Join(above, "none", "home")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a new home in a folder where everybody may replace it: %v", err)
	}
}
