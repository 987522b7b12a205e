package postgres_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"tkit/access"
	"tkit/access/audit"
	"tkit/access/postgres"
	"tkit/access/storetest"
	pg "tkit/internal/postgres"
	"tkit/internal/postgrestest"
)

// database returns the address of a new database that is initialised.
func database(t *testing.T, s *postgrestest.Server) string {
	t.Helper()
	address := s.Database(t)
	if err := pg.Initialise(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	return address
}

func open(t *testing.T, address string) access.Store {
	t.Helper()
	s, err := postgres.In(address)(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func execute(t *testing.T, address, script string) error {
	t.Helper()
	d, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = d.ExecContext(t.Context(), script)
	return err
}

func TestStore(t *testing.T) {
	server := postgrestest.Start(t)
	t.Run("suite", func(t *testing.T) {
		databases := make(map[*testing.T]string)
		storetest.Run(t, func(t *testing.T) access.Store {
			if databases[t] == "" {
				databases[t] = database(t, server)
			}
			return open(t, databases[t])
		})
	})
	t.Run("replaced", func(t *testing.T) { testReplaced(t, database(t, server)) })
	t.Run("changed log", func(t *testing.T) { testChangedLog(t, database(t, server)) })
}

// Another database under the same address closes.
func testReplaced(t *testing.T, address string) {
	s := open(t, address)
	if err := execute(t, address, "UPDATE tkit.home SET id = 'postgres-other'"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Generation(t.Context()); err == nil || !strings.Contains(err.Error(), "another one is in place") {
		t.Errorf("the generation of another database: %v", err)
	}
	if err := execute(t, address, "DELETE FROM tkit.access_generation"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Generation(t.Context()); err == nil {
		t.Error("a generation that is missing")
	}
}

// Records cannot be changed, and if somebody does so with more rights, it is found.
func testChangedLog(t *testing.T, address string) {
	s := open(t, address)
	log, err := s.OpenLog()
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err := log.Append(t.Context(), audit.Record{Who: "user:olga", Action: "test", Outcome: audit.Allowed}); err != nil {
			t.Fatal(err)
		}
	}
	for _, script := range []string{"UPDATE tkit.access_log SET line = ''", "DELETE FROM tkit.access_log", "TRUNCATE tkit.access_log"} {
		if err := execute(t, address, script); err == nil {
			t.Errorf("%s was done", script)
		}
	}
	for _, c := range []struct {
		name, script, want string
		compared           bool // Compare finds it, too
	}{
		{"changed", "UPDATE access_log SET line = replace(line, 'olga', 'mary') WHERE sequence = 2", "database:2: record 2 has no seal", false},
		{"removed", "DELETE FROM access_log WHERE sequence = 2", "records 2 to 2 are missing", false},
		{"cut off", "DELETE FROM access_log WHERE sequence > 2", "the end is missing", true},
		{"emptied", "DELETE FROM access_log", "the end is missing", true},
		{"forged", `INSERT INTO access_log SELECT 5, replace(line, '"seq":4', '"seq":5') FROM access_log WHERE sequence = 4`, "record 5 was not written by tkit", true},
	} {
		ctx, address := t.Context(), address
		err := altered(ctx, address, c.script, func() {
			v, err := log.Verify(ctx)
			var found []string
			for _, p := range v.Problems {
				found = append(found, p.String())
			}
			if err != nil || !strings.Contains(strings.Join(found, "; "), c.want) {
				t.Errorf("%s: found %q, %v", c.name, found, err)
			}
			if compared := log.Compare(ctx); (compared != nil) != c.compared {
				t.Errorf("%s: compared: %v", c.name, compared)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if v, err := log.Verify(t.Context()); err != nil || len(v.Problems) > 0 {
		t.Errorf("the log as it was: %v, %v", v.Problems, err)
	}
	if err := execute(t, address, "ALTER TABLE tkit.access_log DISABLE TRIGGER USER; DELETE FROM tkit.access_log WHERE sequence > 2"); err != nil {
		t.Fatal(err)
	}
	if err := log.Accept(t.Context(), audit.Record{Who: "user:root", Action: "accept", Outcome: audit.Allowed}); err != nil || log.Compare(t.Context()) != nil {
		t.Errorf("accepting a log without its end: %v; compared: %v", err, log.Compare(t.Context()))
	}
}

// altered calls f while a script has changed the log, and undoes it.
func altered(ctx context.Context, address, script string, f func()) error {
	d, err := sql.Open("pgx", address)
	if err != nil {
		return err
	}
	defer d.Close()
	const begin = "SET search_path = tkit; ALTER TABLE access_log DISABLE TRIGGER USER; DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT * FROM access_log; "
	if _, err := d.ExecContext(ctx, begin+script); err != nil {
		return err
	}
	f()
	_, err = d.ExecContext(ctx, "SET search_path = tkit; DELETE FROM access_log; INSERT INTO access_log SELECT * FROM kept; DROP TABLE kept; ALTER TABLE access_log ENABLE TRIGGER USER")
	return err
}
