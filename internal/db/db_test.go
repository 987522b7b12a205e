package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"tkit/internal/db"
)

const counters = `
	CREATE TABLE counters (name TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT;
	CREATE TABLE log (id INTEGER PRIMARY KEY, counter TEXT NOT NULL REFERENCES counters(name)) STRICT;
	INSERT INTO counters VALUES ('a', 0);`

func schema(name string, scripts ...string) db.Schema {
	files := make(fstest.MapFS)
	for i, s := range scripts {
		files[fmt.Sprintf("%04d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(s)}
	}
	return db.Schema{Name: name, Migrations: files}
}

func open(t *testing.T, path string, schemas ...db.Schema) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), path, schemas...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func number(t *testing.T, d *db.DB, query string) int {
	t.Helper()
	var n int
	if err := d.Reader().QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// count adds one to counter a and one row to the log, together.
func count(ctx context.Context, d *db.DB) error {
	return d.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO log (counter) VALUES ('a')"); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE counters SET n = n + 1 WHERE name = 'a'")
		return err
	})
}

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "home?", "50% full", "r.db")
	d := open(t, path, schema("counting", counters))
	if err := count(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
	}
	again := open(t, path, schema("counting", counters))
	if got := number(t, again, "SELECT n FROM counters"); got != 1 {
		t.Errorf("opened again, the counter is %d, want 1", got)
	}
	if err := again.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO log (counter) VALUES ('nobody')")
		return err
	}); err == nil {
		t.Error("a reference to a missing row was accepted")
	}
	if _, err := again.Reader().Exec("DELETE FROM log"); err == nil {
		t.Error("the reader wrote")
	}
	if problems, err := again.Check(t.Context()); err != nil || len(problems) != 0 {
		t.Errorf("Check = %q, %v", problems, err)
	}
}

func TestMigrations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	open(t, path, schema("counting", counters))
	d := open(t, path,
		schema("counting", counters, "INSERT INTO counters VALUES ('b', 5)", "UPDATE counters SET n = n * 2"),
		schema("other", "CREATE TABLE other (x INTEGER)"))
	if got := number(t, d, "SELECT sum(n) FROM counters"); got != 10 {
		t.Errorf("after the migrations the sum is %d, want 10", got)
	}
	if got := number(t, d, "SELECT count(*) FROM migrations"); got != 4 {
		t.Errorf("%d migrations are recorded, want 4", got)
	}
	// Tables of packages unknown to this process are ignored.
	open(t, path, schema("other", "CREATE TABLE other (x INTEGER)"))
}

func TestFailedMigrationLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	_, err := db.Open(t.Context(), path, schema("counting", counters,
		"UPDATE counters SET n = 7; INSERT INTO nowhere VALUES (1)"))
	if err == nil || !strings.Contains(err.Error(), "0002_step.sql") || !strings.Contains(err.Error(), path) {
		t.Errorf("a migration that fails: %v", err)
	}
	d := open(t, path, schema("counting", counters))
	if got := number(t, d, "SELECT n FROM counters"); got != 0 {
		t.Errorf("a failed migration left n = %d", got)
	}
}

// An error about a database that cannot be opened names the remedy.
func TestOpenSaysWhatToDo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder.db")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), path)
	if err == nil {
		d.Close()
	}
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "permission to write") {
		t.Errorf("%v", err)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	ours := filepath.Join(dir, "ours.db")
	open(t, ours, schema("counting", counters, "INSERT INTO counters VALUES ('b', 5)"))

	foreign := filepath.Join(dir, "foreign.db")
	s, err := sql.Open("sqlite", foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exec("CREATE TABLE bookmarks (url TEXT)"); err != nil {
		t.Fatal(err)
	}
	s.Close()

	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		schema     db.Schema
		want       string
	}{
		{"newer", ours, schema("counting", counters), "newer tkit"},
		{"changed", ours, schema("counting", counters, "INSERT INTO counters VALUES ('b', 6)"), "a 0002_step.sql that differs"},
		{"another application", foreign, schema("counting", counters), "another application"},
		{"not a database", garbage, schema("counting", counters), "not a database"},
		{"a folder", dir, schema("counting", counters), dir},
		{"a gap", ours, db.Schema{Name: "gap", Migrations: fstest.MapFS{"0002_x.sql": {}}}, "number 1"},
		{"a bad name", ours, db.Schema{Name: "bad", Migrations: fstest.MapFS{"readme.md": {}}}, "readme.md"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := db.Open(t.Context(), c.path, c.schema)
			if err == nil {
				d.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), c.path) > 1 {
				t.Errorf("%v: want %q", err, c.want)
			}
			if errors.Is(err, db.ErrNewer) != (c.name == "newer") {
				t.Errorf("%v: ErrNewer is %t", err, errors.Is(err, db.ErrNewer))
			}
		})
	}
}

func TestConcurrentUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	first, second := open(t, path, schema("counting", counters)), open(t, path, schema("counting", counters))
	var wait sync.WaitGroup
	for _, d := range []*db.DB{first, second, first, second} {
		wait.Go(func() {
			for range 15 {
				if err := count(context.Background(), d); err != nil {
					t.Error(err)
				}
			}
		})
		wait.Go(func() {
			for range 40 {
				var n, logged int
				err := d.Read(context.Background(), func(tx *sql.Tx) error {
					if err := tx.QueryRow("SELECT n FROM counters").Scan(&n); err != nil {
						return err
					}
					return tx.QueryRow("SELECT count(*) FROM log").Scan(&logged)
				})
				if err != nil || n != logged {
					t.Errorf("one state shows n = %d and %d log rows, %v", n, logged, err)
				}
			}
		})
	}
	wait.Wait()
	if got := number(t, first, "SELECT n FROM counters"); got != 60 {
		t.Errorf("n = %d, want 60", got)
	}
}

func TestWaitForWriterEndsWithContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	first, second := open(t, path, schema("counting", counters)), open(t, path, schema("counting", counters))
	err := first.Write(t.Context(), func(*sql.Tx) error {
		for _, d := range []*db.DB{first, second} { // the same process's writer, and another's
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := count(ctx, d); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a second writer: %v, want it to wait until its deadline", err)
			}
		}
		return errors.New("changed my mind")
	})
	if err == nil || err.Error() != "changed my mind" {
		t.Errorf("Write = %v", err)
	}
	if err := count(t.Context(), second); err != nil {
		t.Error(err)
	}
}
