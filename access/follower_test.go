package access

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What is changed in a database that took the place of the one that is open would
// not be seen: the policy counts as unreadable.
func TestFollowsTheDatabaseInPlace(t *testing.T) {
	f := newFixture(t)
	follower, err := f.Follow(t.Context(), time.Second)
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

// A failure that lasts does not fill the log.
func TestTellsFailuresOnce(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	var f failure
	at := time.Now()
	one, two := errors.New("one"), errors.New("two")
	for i, c := range []struct {
		err   error
		after time.Duration
		lines int // of the log by then
	}{
		{nil, 0, 0}, {one, 0, 1}, {one, tellEvery - 1, 1}, {one, tellEvery, 2}, {two, tellEvery, 3}, {nil, tellEvery, 4}, {nil, tellEvery, 4}, {two, tellEvery, 5},
	} {
		f.tell(t.Context(), log, c.err, at.Add(c.after))
		if n := strings.Count(text.String(), "\n"); n != c.lines {
			t.Fatalf("look %d: %d lines, want %d:\n%s", i, n, c.lines, text.String())
		}
	}
}
