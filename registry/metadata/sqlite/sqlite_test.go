package sqlite_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"tkit/internal/db"
	"tkit/internal/home"
	"tkit/registry/metadata"
	"tkit/registry/metadata/metadatatest"
	"tkit/registry/metadata/sqlite"
)

func TestSuite(t *testing.T) {
	homes := make(map[*testing.T]string)
	metadatatest.Run(t, func(t *testing.T) metadata.Store {
		if homes[t] == "" {
			homes[t] = t.TempDir()
		}
		s, err := sqlite.Open(t.Context(), homes[t])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	})
}

// The migration that makes the history again keeps its rows, the last number, and the
// aliases that refer to it.
func TestMigratesHistory(t *testing.T) {
	folder := t.TempDir()
	scripts := fstest.MapFS{}
	for _, name := range []string{"0001_versions_aliases_events.sql", "0002_bases.sql"} {
		text, err := os.ReadFile(filepath.Join("migrations", name))
		if err != nil {
			t.Fatal(err)
		}
		scripts[name] = &fstest.MapFile{Data: text}
	}
	d, err := home.Open(t.Context(), folder, db.Schema{Name: "registry", Migrations: scripts})
	if err != nil {
		t.Fatal(err)
	}
	err = d.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO models VALUES ('m', '2026-03-01T12:00:00.000000Z');
			INSERT INTO versions VALUES ('m', 1, 'sha256:1', '1'), ('m', 2, 'sha256:2', '2');
			INSERT INTO events VALUES (1, '2026-03-01T12:00:00.000000Z', 'ann', 'promote', 'm', 1, 'a', 0, 'first', '', NULL),
				(2, '2026-03-01T12:00:00.000000Z', 'ann', 'promote', 'm', 2, 'a', 1, 'second', '', 1);
			INSERT INTO aliases VALUES ('m', 'a', 2, 2, 2);
			UPDATE sqlite_sequence SET seq = 7 WHERE name = 'events'`) // of events that are lost
		return err
	})
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Update(t.Context(), func(w metadata.Writer) error {
		events, err1 := w.Events("m", 0)
		last, err2 := w.LastEvent()
		a, _, err3 := w.Alias("m", "a")
		before, err4 := w.Replaced(2)
		if len(events) != 2 || events[1].Replaced != 1 || events[1].Reason != "second" || last != 7 || a.Version != 2 || a.Reason != "second" ||
			before != (metadata.Standing{Version: 1, Promotion: 1}) {
			t.Errorf("events %+v, the last %d, alias %+v, before it %+v", events, last, a, before)
		}
		id, err5 := w.AddEvent(metadata.Event{Action: metadata.Deleted, Model: "m", Version: 1, Change: metadata.Change{Actor: "ann"}})
		if id != 8 {
			t.Errorf("the next event is %d", id)
		}
		return errors.Join(err1, err2, err3, err4, err5, w.DeleteVersion("m", 1, id))
	})
	if err != nil {
		t.Fatal(err)
	}
	if damage, err := s.Check(t.Context()); err != nil || len(damage) > 0 {
		t.Errorf("damage: %v, %v", damage, err)
	}
}

// Without an access policy in the home, PolicyGeneration fails.
func TestNoPolicy(t *testing.T) {
	s, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Update(t.Context(), func(w metadata.Writer) error {
		_, err := w.PolicyGeneration()
		return err
	})
	if err == nil {
		t.Error("a generation without a policy")
	}
}
