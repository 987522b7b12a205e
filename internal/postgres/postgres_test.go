package postgres_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"tkit/internal/db"
	"tkit/internal/postgres"
	"tkit/internal/postgrestest"
)

const counter = "CREATE TABLE counter (n BIGINT NOT NULL); INSERT INTO counter VALUES (0)"

func tables(scripts ...string) db.Schema {
	files := make(fstest.MapFS)
	for i, s := range scripts {
		files[fmt.Sprintf("%04d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(s)}
	}
	return db.Schema{Name: "registry", Migrations: files}
}

func open(t *testing.T, address string, schemas ...db.Schema) *postgres.DB {
	t.Helper()
	d, err := postgres.Open(t.Context(), address, schemas...)
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

func execute(t *testing.T, address, script string) {
	t.Helper()
	d, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.ExecContext(t.Context(), script); err != nil {
		t.Fatal(err)
	}
}

func initialised(t *testing.T, s *postgrestest.Server) string {
	t.Helper()
	address := s.Database(t)
	if err := postgres.Initialise(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	return address
}

func number(t *testing.T, d *postgres.DB) (n int) {
	t.Helper()
	if err := d.Row(t.Context(), "SELECT n FROM counter", nil, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func add(ctx context.Context, tx *sql.Tx) error {
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT n FROM counter").Scan(&n); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE counter SET n = $1", n+1)
	return err
}

// The tests share a server, because starting one takes a second.
func TestDatabase(t *testing.T) {
	server := postgrestest.Start(t)
	for name, test := range map[string]func(*testing.T, *postgrestest.Server){ // one after the other: some stop it
		"refusals":   testRefusals,
		"migrations": testMigrations,
		"at once":    testAtOnce,
		"writers":    testWriters,
		"conflicts":  testConflicts,
		"outage":     testOutage,
		"damage":     testDamage,
	} {
		t.Run(name, func(t *testing.T) { test(t, server) })
	}
}

// Only a database that was initialised is opened, and initialising changes no other
// program's tables.
func testRefusals(t *testing.T, server *postgrestest.Server) {
	address := server.Database(t)
	for _, script := range []string{"", "CREATE TABLE bookmarks (url TEXT)", "CREATE SCHEMA tkit"} {
		execute(t, address, script)
		d, err := postgres.Open(t.Context(), address, tables(counter))
		if err == nil {
			d.Close()
		}
		if !errors.Is(err, postgres.ErrNone) {
			t.Errorf("after %q: %v", script, err)
		}
	}
	for range 2 {
		if err := postgres.Initialise(t.Context(), address); err != nil {
			t.Fatal(err)
		}
	}
	open(t, address, tables(counter))
	foreign := server.Database(t)
	execute(t, foreign, "CREATE SCHEMA tkit; CREATE TABLE tkit.migrations (x INTEGER)")
	if err := postgres.Initialise(t.Context(), foreign); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("a schema tkit of another program: %v", err)
	}
	for _, bad := range []string{"", "postgres://u:secret%zz@h/d", "port=x password=secret", "mysql://u:secret@h/d"} {
		if err := postgres.CheckAddress(bad); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	wrong := postgrestest.WrongPassword(address)
	if err := postgres.Initialise(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), "password") || strings.Contains(err.Error(), postgrestest.Password) {
		t.Errorf("a wrong password: %v", err)
	}
}

func testMigrations(t *testing.T, server *postgrestest.Server) {
	address := initialised(t, server)
	open(t, address, tables(counter))
	d := open(t, address, tables(counter, "UPDATE counter SET n = 5", "UPDATE counter SET n = n * 2"))
	if n := number(t, d); n != 10 {
		t.Errorf("after the migrations the number is %d", n)
	}
	for name, c := range map[string]struct {
		schema db.Schema
		want   string
	}{
		"newer":   {tables(counter), "newer tkit"},
		"changed": {tables(counter, "UPDATE counter SET n = 6", "UPDATE counter SET n = n * 2"), "a 0002_step.sql that differs"},
		"failing": {tables(counter, "UPDATE counter SET n = 5", "UPDATE counter SET n = n * 2", "UPDATE counter SET n = 7; INSERT INTO nowhere VALUES (1)"), "0004_step.sql"},
	} {
		d, err := postgres.Open(t.Context(), address, c.schema)
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, db.ErrNewer) != (name == "newer") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := number(t, d); n != 10 {
		t.Errorf("a migration that failed left %d", n)
	}
	execute(t, address, "INSERT INTO tkit.migrations VALUES ('gates', 1, '0001_gates.sql', '')")
	if _, err := postgres.Open(t.Context(), address, tables(counter)); !errors.Is(err, db.ErrNewer) {
		t.Errorf("tables of an unknown package: %v", err)
	}
}

// Several processes initialise a database and migrate it at the same time.
func testAtOnce(t *testing.T, server *postgrestest.Server) {
	address := server.Database(t)
	ids := make([]string, 6)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			if err := postgres.Initialise(t.Context(), address); err != nil {
				t.Error(err)
				return
			}
			d, err := postgres.Open(t.Context(), address, tables(counter))
			if err == nil {
				ids[i], err = d.Identity(t.Context())
				err = errors.Join(err, d.Close())
			}
			if err != nil || ids[i] == "" {
				t.Errorf("identity %q, %v", ids[i], err)
			}
		})
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("identities %v", ids)
		}
	}
}

// Writers of two processes do not overwrite what they have not read, and wait only as
// long as their context says.
func testWriters(t *testing.T, server *postgrestest.Server) {
	address := initialised(t, server)
	both := []*postgres.DB{open(t, address, tables(counter)), open(t, address, tables(counter))}
	var writing sync.WaitGroup
	for i := range 16 {
		writing.Go(func() {
			err := both[i%2].Write(t.Context(), func(tx *sql.Tx) error { return add(t.Context(), tx) })
			if err != nil {
				t.Error(err)
			}
		})
	}
	writing.Wait()
	if n := number(t, both[0]); n != 16 {
		t.Errorf("%d, want 16", n)
	}
	err := both[0].Write(t.Context(), func(*sql.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		waiting := both[1].Write(ctx, func(*sql.Tx) error { return errors.New("two transactions write") })
		if !errors.Is(waiting, context.DeadlineExceeded) {
			t.Errorf("a writer that waits: %v", waiting)
		}
		return both[1].Read(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec("SELECT n FROM counter"); return err })
	})
	if err != nil {
		t.Error(err)
	}
}

// A transaction that another one made fail is repeated.
func testConflicts(t *testing.T, server *postgrestest.Server) {
	d := open(t, initialised(t, server), tables(counter))
	calls := 0
	err := d.Append(t.Context(), func(tx *sql.Tx) error {
		calls++
		if err := add(t.Context(), tx); err != nil || calls > 1 {
			return err
		}
		// The row is read before somebody else changes it.
		inner := make(chan error)
		go func() {
			inner <- d.Append(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), "DO $$ BEGIN RAISE EXCEPTION 'too late' USING ERRCODE = 'serialization_failure'; END $$")
				return err
			})
		}()
		if err := <-inner; err == nil || !strings.Contains(err.Error(), "try again later") {
			t.Errorf("a transaction that always fails: %v", err)
		}
		_, err := tx.ExecContext(t.Context(), "DO $$ BEGIN RAISE EXCEPTION 'once' USING ERRCODE = 'deadlock_detected'; END $$")
		return err
	})
	if err != nil || calls != 2 || number(t, d) != 1 {
		t.Errorf("%d calls, the number is %d, %v", calls, number(t, d), err)
	}
}

// A server that is down is reported, and used again when it is back.
func testOutage(t *testing.T, server *postgrestest.Server) {
	address := initialised(t, server)
	d := open(t, address, tables(counter))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var heard []string
	for err := range d.Changes(ctx, "news", time.Millisecond) {
		switch {
		case err == nil && len(heard) == 0:
			heard = append(heard, "listening")
			server.Stop(t)
		case err != nil && len(heard) == 1:
			heard = append(heard, "lost")
			down := d.Write(t.Context(), func(tx *sql.Tx) error { return add(t.Context(), tx) })
			if !errors.Is(down, db.ErrUnreachable) || strings.Contains(down.Error(), postgrestest.Password) {
				t.Errorf("a server that is down: %v", down)
			}
			server.Restart(t)
		case err == nil && len(heard) == 2:
			heard = append(heard, "listening again")
			execute(t, address, "NOTIFY news")
		case err == nil && len(heard) == 3:
			heard = append(heard, "told")
			cancel()
		}
	}
	if got := strings.Join(heard, ", "); got != "listening, lost, listening again, told" {
		t.Errorf("heard %s", got)
	}
	if err := d.Write(t.Context(), func(tx *sql.Tx) error { return add(t.Context(), tx) }); err != nil || number(t, d) != 1 {
		t.Errorf("a server that is back: %d, %v", number(t, d), err)
	}
	if err := d.Read(t.Context(), func(*sql.Tx) error { return io.ErrClosedPipe }); !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, db.ErrUnreachable) {
		t.Errorf("an error that is not the server's: %v", err)
	}
}

// Check reports a page that the server cannot read.
func testDamage(t *testing.T, server *postgrestest.Server) {
	address := initialised(t, server)
	d := open(t, address, tables(counter))
	if damage, err := d.Check(t.Context()); err != nil || len(damage) != 0 {
		t.Errorf("damage: %v, %v", damage, err)
	}
	var file string
	if err := d.Row(t.Context(), "SELECT current_setting('data_directory') || '/' || pg_relation_filepath('counter')", nil, &file); err != nil {
		t.Fatal(err)
	}
	execute(t, address, "CHECKPOINT") // otherwise the server restores the page
	server.Stop(t)
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, 64), 0)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	server.Restart(t)
	if damage, err := d.Check(t.Context()); err != nil || len(damage) != 1 || !strings.Contains(damage[0], "counter: invalid page") {
		t.Errorf("damage: %v, %v", damage, err)
	}
}
