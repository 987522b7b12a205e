package sql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tkit/ingest/failure"
	"tkit/internal/postgrestest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eachDriver runs a test with an empty database of each kind.
func eachDriver(t *testing.T, test func(t *testing.T, d Database)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		test(t, Database{Driver: SQLite, Path: filepath.Join(t.TempDir(), "a b?.db")})
	})
	t.Run("postgres", func(t *testing.T) {
		test(t, Database{Driver: Postgres, DSN: postgrestest.Start(t).Database(t)})
	})
}

func open(t *testing.T, table Table) *Sink {
	t.Helper()
	s, err := table.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func execute(t *testing.T, d Database, statement string) {
	t.Helper()
	db, err := d.Open(true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// text returns the single value of a query.
func text(t *testing.T, d Database, query string) string {
	t.Helper()
	db, err := d.Open(false)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var value sql.NullString
	if err := db.QueryRow(query).Scan(&value); err != nil {
		t.Fatal(query, err)
	}
	if !value.Valid {
		return "NULL"
	}
	return value.String
}

var sum = sha256.Sum256([]byte("image"))

func TestUpsert(t *testing.T) {
	eachDriver(t, func(t *testing.T, d Database) {
		table := Table{Database: d, Name: `odd "name`, Key: "sha256", Create: true,
			Columns: []string{"label", "version", "probability", "results", `it's "one`, "classified_at"}}
		s := open(t, table)
		now := time.Now()
		for _, label := range []string{"daisy", `rose'); DROP TABLE "odd`} {
			values := []any{label, 3, 0.25, []any{map[string]any{"model": "flowers"}}, nil, now}
			if err := s.Write(t.Context(), sum, values); err != nil {
				t.Fatal(err)
			}
		}
		from := ` FROM "odd ""name" WHERE sha256 = '` + fmt.Sprintf("%x", sum) + `'`
		for column, want := range map[string]string{
			"count(*)": "1", "min(label)": `rose'); DROP TABLE "odd`, "min(version) + 1": "4", "min(probability) * 2": "0.5",
			`min("it's ""one")`: "NULL",
		} {
			if got := text(t, d, "SELECT "+column+from); got != want {
				t.Errorf("%s is %q, want %q", column, got, want)
			}
		}
		json := "json_extract(results, '$[0].model')"
		if d.Driver == Postgres {
			json = "results->0->>'model'"
		}
		if got := text(t, d, "SELECT "+json+from); got != "flowers" {
			t.Errorf("model in the results: %q", got)
		}
		open(t, table) // the table is there already
	})
}

// A row that the database refuses does not keep out those in the same transaction.
func TestRefusedRows(t *testing.T) {
	eachDriver(t, func(t *testing.T, d Database) {
		execute(t, d, `CREATE TABLE t (sha256 char(64) PRIMARY KEY, n integer CHECK (n < 100) NOT NULL)`)
		s := open(t, Table{Database: d, Name: "t", Key: "sha256", Columns: []string{"n"}})
		var writing sync.WaitGroup
		for i := range 120 {
			writing.Go(func() {
				var n any = i
				if i == 50 {
					n = nil
				}
				err := s.Write(t.Context(), sha256.Sum256(fmt.Append(nil, i)), []any{n})
				if bad := i >= 100 || i == 50; bad != (err != nil) {
					t.Errorf("row %d: %v", i, err)
				}
				if err != nil && (failure.KindOf(err) != failure.Lasting || failure.StageOf(err) != Stage) {
					t.Errorf("row %d is refused by %v, of the kind %v", i, err, failure.KindOf(err))
				}
			})
		}
		writing.Wait()
		if got := text(t, d, "SELECT count(*) FROM t"); got != "99" {
			t.Errorf("%s rows", got)
		}
	})
}

func TestWrongTypes(t *testing.T) {
	eachDriver(t, func(t *testing.T, d Database) {
		strict := map[string]string{SQLite: " STRICT"}[d.Driver]
		execute(t, d, `CREATE TABLE t (sha256 text PRIMARY KEY, n integer)`+strict)
		s := open(t, Table{Database: d, Name: "t", Key: "sha256", Columns: []string{"n"}})
		for _, value := range []any{"many", struct{}{}} {
			if err := s.Write(t.Context(), sum, []any{value}); failure.KindOf(err) != failure.Lasting {
				t.Errorf("%v in a column of numbers: %v", value, err)
			}
		}
	})
}

// What is wrong with the table is found before the first row.
func TestMisconfigured(t *testing.T) {
	eachDriver(t, func(t *testing.T, d Database) {
		execute(t, d, `CREATE TABLE t (sha256 text PRIMARY KEY, n integer)`)
		for what, table := range map[string]Table{
			"table":  {Name: "missing", Key: "sha256", Columns: []string{"n"}},
			"column": {Name: "t", Key: "sha256", Columns: []string{"missing"}},
			"key":    {Name: "t", Key: "n", Columns: []string{"sha256"}},
		} {
			table.Database = d
			if _, err := table.Open(t.Context()); err == nil || !IsMisconfigured(err) || !strings.Contains(err.Error(), table.Name) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestWrongPassword(t *testing.T) {
	d := Database{Driver: Postgres, DSN: postgrestest.WrongPassword(postgrestest.Start(t).Database(t))}
	_, err := Table{Database: d, Name: "t", Key: "sha256"}.Open(t.Context())
	if err == nil || !IsMisconfigured(err) || strings.Contains(err.Error(), postgrestest.Password) {
		t.Errorf("a wrong password: %v", err)
	}
}

// A server that is down is an outage, and the sink goes on when it is back.
func TestServerDown(t *testing.T) {
	server := postgrestest.Start(t)
	table := Table{Database: Database{Driver: Postgres, DSN: server.Database(t)}, Name: "t", Key: "sha256", Columns: []string{"label"}, Create: true}
	s := open(t, table)
	if err := s.Write(t.Context(), sum, []any{"before"}); err != nil {
		t.Fatal(err)
	}
	server.Stop(t)
	err := s.Write(t.Context(), sum, []any{"down"})
	if failure.KindOf(err) != failure.Outage || strings.Contains(err.Error(), postgrestest.Password) {
		t.Errorf("down: %v", err)
	}
	if _, err := table.Open(t.Context()); err == nil || IsMisconfigured(err) || strings.Contains(err.Error(), postgrestest.Password) {
		t.Errorf("open while it is down: %v", err)
	}
	server.Restart(t)
	for s.Write(t.Context(), sum, []any{"after"}) != nil {
		time.Sleep(10 * time.Millisecond) // the first may use a connection that is gone
	}
	if got := text(t, table.Database, "SELECT label FROM t"); got != "after" {
		t.Errorf("label %q", got)
	}
}

func TestCheck(t *testing.T) {
	sqlite := Database{Driver: SQLite, Path: "a.db"}
	for _, table := range []Table{
		{Database: Database{Driver: "mysql"}, Name: "t", Key: "k"},
		{Database: Database{Driver: Postgres}, Name: "t", Key: "k"},
		{Database: Database{Driver: Postgres, DSN: "postgres://user:secret@%zz/"}, Name: "t", Key: "k"},
		{Database: Database{Driver: SQLite, DSN: "a.db"}, Name: "t", Key: "k"},
		{Database: sqlite, Name: "", Key: "k"},
		{Database: sqlite, Name: "a.b.c", Key: "k"},
		{Database: sqlite, Name: "t", Key: ""},
		{Database: sqlite, Name: "t", Key: "k", Columns: []string{"k"}},
		{Database: sqlite, Name: "t", Key: "k", Columns: []string{strings.Repeat("x", 64)}},
		{Database: sqlite, Name: "t", Key: "k", Columns: []string{"a\x00"}},
	} {
		if err := table.Check(); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", table, err)
		}
	}
}

// A caller is not held back by a transaction that hangs.
func TestHangs(t *testing.T) {
	server := postgrestest.Start(t)
	d := Database{Driver: Postgres, DSN: server.Database(t)}
	s := open(t, Table{Database: d, Name: "t", Key: "sha256", Create: true})
	db, err := d.Open(true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("LOCK TABLE t"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Write(ctx, sum, nil); !errors.Is(err, context.DeadlineExceeded) || failure.KindOf(err) != failure.Outage {
		t.Errorf("hangs: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}
