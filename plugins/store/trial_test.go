package store_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tkit/plugins/host"
	"tkit/plugins/store"
)

// The remains of a killed trial are removed by the next trial and the next
// installation; an active trial is not affected.
func TestTrialsAreTidied(t *testing.T) {
	s := store.In(t.TempDir())
	left := func() (folders []string) {
		entries, err := os.ReadDir(s.Folder())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			folders = append(folders, e.Name())
		}
		return folders
	}
	abandon := func() string {
		folder := filepath.Join(s.Folder(), ".trying-1")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "plugin"), []byte("x"), 0o555); err != nil {
			t.Fatal(err)
		}
		return filepath.Base(folder)
	}
	try := func() *store.Trial {
		trial, err := s.Try(t.Context(), filepath.Join(built, "1.0.0"), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return trial
	}
	dead := abandon()
	going := try()
	if there := left(); slices.Contains(there, dead) || len(there) != 1 {
		t.Errorf("beside a trial there are %v", there)
	}
	abandon()
	install(t, s, "1.10.0")
	other := try()
	if there := left(); slices.Contains(there, dead) || len(there) != 3 {
		t.Errorf("after an installation there are %v", there)
	}
	p, err := going.Open(t.Context(), host.Config{Processes: 1})
	if err != nil {
		t.Fatal(err)
	}
	same(t, p)
	for _, end := range []func() error{p.Close, going.Close, other.Close} {
		if err := end(); err != nil {
			t.Error(err)
		}
	}
	if there := left(); len(there) != 1 {
		t.Errorf("in the end there are %v", there)
	}
}
