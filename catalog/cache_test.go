package catalog

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCache(t *testing.T) {
	f := newFixture(t)
	for _, folder := range []string{"bottlenecks/one", "restricted/a1/bottlenecks/two"} {
		path := filepath.Join(f.home, folder)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "segment"), make([]byte, 100), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parts, err := f.Cache(t.Context(), f.account)
	if err != nil || len(parts) != 2 {
		t.Fatalf("%+v, %v", parts, err)
	}
	for _, p := range parts {
		if p.Bytes != 100 || p.Restricted != (p.Folder == "restricted/a1/bottlenecks/two") || p.Used.IsZero() {
			t.Errorf("%+v", p)
		}
	}
	if removed, err := f.ClearCache(t.Context(), f.account); err != nil || removed != 200 {
		t.Errorf("removed %d bytes, %v", removed, err)
	}
	if parts, err := f.Cache(t.Context(), f.account); err != nil || len(parts) != 0 {
		t.Errorf("afterwards %+v, %v", parts, err)
	}
}
