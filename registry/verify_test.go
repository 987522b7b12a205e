package registry_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"tkit/registry"
	"tkit/registry/blobs"
)

// tamper changes the database without using the registry, and without the
// triggers that would refuse the change.
func tamper(t *testing.T, home, statement string) {
	t.Helper()
	d, err := sql.Open("sqlite", filepath.Join(home, "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, trigger := range []string{"versions_stay", "versions_remain", "parts_stay", "parts_remain", "events_stay", "events_remain", "deletions_stay", "deletions_remain"} {
		if _, err := d.Exec("DROP TRIGGER " + trigger); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// furnished makes a registry with two models and returns its folder.
func furnished(t *testing.T) (home string, v registry.Version) {
	t.Helper()
	home = t.TempDir()
	r, err := registry.Open(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	v = register(t, r, "flowers", "head 1")
	register(t, r, "flowers", "head 2")
	register(t, r, "cars", "head 3")
	register(t, r, "boats", "head 3")
	remove(t, r, "boats", 1)
	promote(t, r, "flowers", 1, registry.Production)
	promote(t, r, "flowers", 2, registry.Production)
	sound(t, r)
	return home, v
}

func TestVerifyFindsTampering(t *testing.T) {
	for name, c := range map[string]struct {
		statement string
		subject   string // that Verify names
		resolve   string // a reference that no longer resolves, or ""
	}{
		"manifest": {
			"UPDATE versions SET manifest = replace(manifest, 'daisy', 'tulpe') WHERE model = 'flowers' AND version = 1",
			"flowers@1", "flowers@1",
		},
		"manifest and digest": {
			"UPDATE versions SET manifest = (SELECT manifest FROM versions WHERE model = 'cars'), digest = (SELECT digest FROM versions WHERE model = 'cars') WHERE model = 'flowers' AND version = 1",
			"flowers@1", "flowers@1",
		},
		"digest":            {"UPDATE versions SET digest = 'sha256:0' WHERE version = 2", "flowers@2", "flowers"},
		"version removed":   {"DELETE FROM parts WHERE model = 'cars'; DELETE FROM versions WHERE model = 'cars'", "cars@1", "cars@1"},
		"part dropped":      {"DELETE FROM parts WHERE model = 'cars' AND name = 'head'", "cars@1", ""},
		"part redirected":   {"UPDATE parts SET digest = 'sha256:0' WHERE model = 'cars' AND name = 'head'", "cars@1", ""},
		"alias moved":       {"UPDATE aliases SET version = 1", "flowers@production", ""},
		"alias removed":     {"DELETE FROM aliases", "flowers@production", "flowers"},
		"event removed":     {"PRAGMA foreign_keys = OFF; DELETE FROM events WHERE id = 2", "history", ""},
		"deletion lost":     {"DELETE FROM deletions", "boats@1", ""},
		"deletion forged":   {"INSERT INTO deletions VALUES ('cars', 1, 1)", "cars@1", "cars@1"},
		"dangling":          {"PRAGMA foreign_keys = OFF; DELETE FROM models WHERE name = 'cars'", "database", ""},
		"event overwritten": {"UPDATE events SET digest = 'sha256:0' WHERE id = 3", "cars@1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			home, _ := furnished(t)
			tamper(t, home, c.statement)
			r := open(t, home)
			problems, err := r.Verify(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			named := false
			for _, p := range problems {
				named = named || p.Subject == c.subject
			}
			if !named {
				t.Errorf("Verify found %v, want something about %s", problems, c.subject)
			}
			if c.resolve == "" {
				return
			}
			_, err = r.Resolve(t.Context(), ref(t, c.resolve))
			if !errors.Is(err, registry.ErrCorrupt) && !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("Resolve(%s): %v, want a refusal", c.resolve, err)
			}
		})
	}
}

func TestTriggersRefuseChanges(t *testing.T) {
	home, _ := furnished(t)
	d, err := sql.Open("sqlite", filepath.Join(home, "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, statement := range []string{
		"UPDATE versions SET digest = ''", "DELETE FROM versions", "UPDATE parts SET name = 'x'", "DELETE FROM parts",
		"UPDATE events SET actor = 'nobody'", "DELETE FROM events", "UPDATE deletions SET version = 2", "DELETE FROM deletions",
	} {
		if _, err := d.Exec(statement); err == nil || !strings.Contains(err.Error(), "immutable") && !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v, want a refusal", statement, err)
		}
	}
	sound(t, open(t, home))
}

func TestDamagedBlobs(t *testing.T) {
	home, v := furnished(t)
	r := open(t, home)
	trunk, err := r.BlobPath(t.Context(), v.Manifest.Trunk.Digest)
	if err != nil {
		t.Fatal(err)
	}
	head, err := r.BlobPath(t.Context(), v.Manifest.Head.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(trunk, 0o600), os.WriteFile(trunk, []byte("flipped bits"), 0o600), os.Remove(head)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.BlobPath(t.Context(), v.Manifest.Trunk.Digest); !errors.Is(err, blobs.ErrCorrupt) || !strings.Contains(err.Error(), string(v.Manifest.Trunk.Digest)) {
		t.Errorf("BlobPath of a damaged trunk: %v", err)
	}
	problems, err := r.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, p := range problems {
		text.WriteString(p.Subject + ": " + p.Detail + "\n")
	}
	for _, want := range []string{
		string(v.Manifest.Trunk.Digest), string(v.Manifest.Head.Digest),
		"trunk of cars@1, trunk of flowers@1, trunk of flowers@2", "head of flowers@1",
	} {
		if len(problems) != 2 || !strings.Contains(text.String(), want) {
			t.Errorf("Verify found\n%swant two problems, naming %s", &text, want)
		}
	}
	register(t, r, "flowers", "head 1") // the same content again
	sound(t, r)
}
