package access

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tkit/access/audit"
)

// A database that lost changes, by a backup or by the loss of the file that they
// were still in, is refused until somebody accepts it, which is recorded.
func TestOlderDatabase(t *testing.T) {
	f := newFixture(t)
	f.give(t, f.olga, Allow, "user:bob", Train)
	file := filepath.Join(f.home, "registry.db")
	older := map[string][]byte{}
	for _, name := range []string{file, file + "-wal"} {
		var err error
		if older[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	later := openAuthority(t, f.home)
	if err := later.RevokeGrant(t.Context(), f.olga, "dataset:scans", 1); err != nil {
		t.Fatal(err)
	}
	f.may(t, later, "user:bob", Train)
	if err := os.Remove(file + "-shm"); err != nil {
		t.Fatal(err)
	}
	for name, content := range older {
		if err := errors.Join(os.Remove(name), os.WriteFile(name, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if a, err := Open(t.Context(), f.home, TestStore, members{}); !errors.Is(err, audit.ErrAhead) {
		t.Fatalf("opened %v, %v", a, err)
	}
	if err := Accept(t.Context(), f.root, f.home, TestStore, " "); !errors.Is(err, ErrInvalid) {
		t.Errorf("accepted without a reason: %v", err)
	}
	if err := Accept(t.Context(), f.root, f.home, TestStore, "disk failed"); err != nil {
		t.Fatal(err)
	}
	if err := Accept(t.Context(), f.root, f.home, TestStore, "again"); !errors.Is(err, ErrInvalid) {
		t.Errorf("accepted what fits: %v", err)
	}
	a := openAuthority(t, f.home)
	v, err := a.Log().Verify(t.Context())
	if err != nil || len(v.Problems) > 0 {
		t.Errorf("verified: %v, %v", v.Problems, err)
	}
	for r, err := range a.Log().Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Sequence == v.Last.Sequence && r.Action != "accept" {
			t.Errorf("the last record is %+v", r)
		}
	}
}
