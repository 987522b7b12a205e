package access

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What is changed in a database that took the place of the one that is open would
// not be seen: the policy counts as unreadable.
func TestFollowsTheDatabaseInPlace(t *testing.T) {
	f := newFixture(t)
	follower, err := f.Store().Follow(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(f.home, "registry.db")
	for _, step := range []struct {
		name string
		do   func() error
		bad  bool
	}{
		{"moved away", func() error { return os.Rename(file, file+".old") }, true},
		{"replaced", func() error { return os.WriteFile(file, nil, 0o600) }, true},
		{"put back", func() error { return os.Rename(file+".old", file) }, false},
		{"emptied", func() error { return os.Truncate(file, 0) }, true},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if err := follower.look(t.Context()); (err != nil) != step.bad {
			t.Errorf("%s: %v", step.name, err)
		}
		if err := follower.Ready(); (err != nil) != step.bad {
			t.Errorf("%s: ready: %v", step.name, err)
		}
	}
}
