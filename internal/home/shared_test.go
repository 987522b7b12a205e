package home_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"tkit/internal/db"
	"tkit/internal/home"
	"tkit/internal/postgres"
	"tkit/internal/postgrestest"
)

var shared = db.Schema{Name: "registry", Migrations: fstest.MapFS{"0001_t.sql": {Data: []byte("CREATE TABLE t (x INTEGER)")}}}

func openShared(t *testing.T, folder, address string) error {
	t.Helper()
	d, id, err := home.OpenShared(t.Context(), folder, address, shared)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(id, postgres.IdentityPrefix) {
		t.Errorf("the identity is %q", id)
	}
	return d.Close()
}

// A home belongs to one database, shared or its own, and nothing makes it another's.
func TestOpenShared(t *testing.T) {
	server := postgrestest.Start(t)
	address, other := server.Database(t), server.Database(t)
	folder := filepath.Join(t.TempDir(), "home")
	if err := openShared(t, folder, address); !errors.Is(err, postgres.ErrNone) {
		t.Errorf("a database that was not initialised: %v", err)
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("a home was made for a database that was not initialised")
	}
	for _, a := range []string{address, other} {
		if err := postgres.Initialise(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []string{folder, folder, t.TempDir()} {
		if err := openShared(t, at, address); err != nil {
			t.Fatal(err)
		}
	}
	if err := home.Exists(folder); err != nil {
		t.Error(err)
	}
	if err := openShared(t, folder, other); !errors.Is(err, home.ErrForeign) {
		t.Errorf("with another database: %v", err)
	}
	if err := open(t, folder, "registry"); !errors.Is(err, home.ErrShared) {
		t.Errorf("without its database: %v", err)
	}
	own := t.TempDir()
	if err := open(t, own, "registry"); err != nil {
		t.Fatal(err)
	}
	if err := openShared(t, own, address); !errors.Is(err, home.ErrForeign) {
		t.Errorf("a home with a database of its own: %v", err)
	}
	for _, trace := range []string{"blobs/sha256/00/0011", "audit/audit-000001.jsonl", "registry.db"} {
		used := t.TempDir()
		put(t, used, trace, "x")
		if err := openShared(t, used, address); !errors.Is(err, home.ErrForeign) {
			t.Errorf("a home with %s: %v", trace, err)
		}
	}
	lost := t.TempDir()
	put(t, lost, "identity", "\n")
	if err := openShared(t, lost, address); !errors.Is(err, home.ErrForeign) {
		t.Errorf("an empty identity: %v", err)
	}
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := openShared(t, open, address); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("a folder that everybody may write to: %v", err)
	}
}
