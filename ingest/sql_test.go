package ingest_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"tkit/inference/inferencetest"
	"tkit/ingest"
	"tkit/internal/postgrestest"
)

const toPostgres = `
name: table
input:
  tkit_directory: {path: in, settle: 10ms, after: delete}
pipeline:
  processors:
    - sleep: {duration: 5ms}
    - mutation: meta camera = "north"
output:
  tkit_sql:
    driver: postgres
    dsn: ${TEST_DSN}
    table: images
    create: CREATE
    columns:
      source: "@tkit_source"
      camera: "@camera"
`

// A PostgreSQL that is stopped and started again during a run ends with one row for each
// image.
func TestPostgresRestarts(t *testing.T) {
	server := postgrestest.Start(t)
	dsn := server.Database(t)
	t.Setenv("TEST_DSN", dsn)
	p := newPlace(t)
	const n = 600
	for i := range n {
		p.write(t, fmt.Sprintf("in/%d.jpg", i), fmt.Appendf(nil, "image %d", i))
	}
	o := p.options(p.write(t, "pipeline.yaml", []byte(strings.Replace(toPostgres, "CREATE", "true", 1))))
	ended := make(chan error, 1)
	go func() {
		_, err := ingest.Run(t.Context(), o)
		ended <- err
	}()
	until(t, func() bool { return o.Counters.Delivered.Load() > 20 })
	server.Stop(t)
	until(t, func() bool { return o.Counters.Failed.Load() > 10 })
	if delivered := o.Counters.Delivered.Load(); delivered == n {
		t.Fatal("everything was delivered before the server was stopped")
	}
	server.Restart(t)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows, sources int
	if err := db.QueryRow("SELECT count(*), count(DISTINCT source) FROM images WHERE camera = 'north'").Scan(&rows, &sources); err != nil || rows != n || sources != n {
		t.Errorf("%d rows of %d images, %v", rows, sources, err)
	}
	if dead := o.Counters.Dead.Load(); dead > 0 {
		t.Errorf("%d dead letters", dead)
	}
}

// A run ends, and the images stay, if the password is wrong or the table is missing. The
// password is neither in the error nor in the log.
func TestPostgresMisconfigured(t *testing.T) {
	server := postgrestest.Start(t)
	dsn := server.Database(t)
	for what, wrong := range map[string]struct{ dsn, cause string }{
		"password": {postgrestest.WrongPassword(dsn), "28P01"},
		"table":    {dsn, "42P01"},
	} {
		t.Setenv("TEST_DSN", wrong.dsn)
		p := newPlace(t)
		p.write(t, "in/a.jpg", []byte("image"))
		o := p.options(p.write(t, "pipeline.yaml", []byte(strings.Replace(toPostgres, "CREATE", "false", 1))))
		var log bytes.Buffer
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		_, err := ingest.Run(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), wrong.cause) {
			t.Errorf("%s: %v", what, err)
		}
		if strings.Contains(fmt.Sprint(err)+log.String(), postgrestest.Password) {
			t.Errorf("%s: the password is in the error or in the log: %v\n%s", what, err, log.String())
		}
		if left, err := filepath.Glob(filepath.Join(p.dir, "in/*.jpg")); err != nil || len(left) != 1 {
			t.Errorf("%s: left: %q, %v", what, left, err)
		}
	}
}

// The columns of a table that is created have the results of the classification.
func TestSQLite(t *testing.T) {
	p := newPlace(t)
	p.write(t, "in/a.jpg", inferencetest.JPEG(t, 1))
	p.write(t, "in/again.jpg", inferencetest.JPEG(t, 1))
	o := p.options(p.write(t, "pipeline.yaml", []byte(`
name: table
input:
  tkit_directory: {path: in, settle: 10ms}
pipeline:
  processors:
    - tkit_classify: {models: [flowers, herbs]}
output:
  tkit_sql: {driver: sqlite, path: out.db, table: images, create: true}
`)))
	if _, err := ingest.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if dead := o.Counters.LastFailure.Load(); dead != nil {
		t.Fatalf("%+v", dead)
	}
	db, err := sql.Open("sqlite", filepath.Join(p.dir, "out.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows, version, models int
	var label, first, restricted, at string
	var probability float64
	err = db.QueryRow(`SELECT count(*), version, label, probability, json_array_length(results), json_extract(results, '$[0].labels[0].label'),
		restricted_by, classified_at FROM images WHERE length(sha256) = 64 AND model = 'flowers'`).
		Scan(&rows, &version, &label, &probability, &models, &first, &restricted, &at)
	if err != nil || rows != 1 || version != 1 || models != 2 || label != first || probability <= 0 || !strings.HasPrefix(restricted, "[") || at == "" {
		t.Errorf("%d rows, version %d, label %q and %q, probability %g, %d models, restricted by %s, at %q, %v",
			rows, version, label, first, probability, models, restricted, at, err)
	}
}
