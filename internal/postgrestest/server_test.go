package postgrestest

import (
	"database/sql"
	"testing"
)

// What was committed is there after the server was ended and started again.
func TestRestart(t *testing.T) {
	s := Start(t)
	db, err := sql.Open("pgx", s.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE t AS SELECT 7 AS n"); err != nil {
		t.Fatal(err)
	}
	s.Stop(t)
	if err := db.Ping(); err == nil {
		t.Error("a server that was stopped answers")
	}
	s.Restart(t)
	var n int
	if err := db.QueryRow("SELECT n FROM t").Scan(&n); err != nil || n != 7 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestPassword(t *testing.T) {
	db, err := sql.Open("pgx", WrongPassword(Start(t).DSN("postgres")))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ping(); err == nil {
		t.Error("a wrong password is accepted")
	}
}
