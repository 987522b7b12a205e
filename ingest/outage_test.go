package ingest_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"tkit/ingest"
	"tkit/ingest/status"
	"tkit/internal/logtest"
	"tkit/internal/postgrestest"
)

// While a service is down, the status says which and since when, and the log says once
// that it went down and that it came up.
func TestOutageIsTold(t *testing.T) {
	server := postgrestest.Start(t)
	dsn := server.Database(t)
	t.Setenv("TEST_DSN", dsn)
	p := newPlace(t)
	for i := range 20 {
		p.write(t, fmt.Sprintf("in/%d.jpg", i), fmt.Appendf(nil, "image %d", i))
	}
	o := p.options(p.write(t, "pipeline.yaml", []byte(strings.Replace(toPostgres, "CREATE", "true", 1))))
	var log logtest.Buffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	server.Stop(t)
	ended := make(chan error, 1)
	go func() {
		_, err := ingest.Run(t.Context(), o)
		ended <- err
	}()
	var table status.Table
	until(t, func() bool {
		var err error
		table, err = status.List(t.Context(), p.home.Path, "table")
		return err == nil && len(table[0].Down) > 0
	})
	var text strings.Builder
	if err := table.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if o := table[0].Down[0]; o.Component != "tkit_sql" || o.Since.Before(table[0].Started) || o.Cause == "" || !strings.Contains(text.String(), "table: tkit_sql is down since ") {
		t.Errorf("%+v, shown as\n%s", o, &text)
	}
	server.Restart(t)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for _, once := range []string{"a component is down", "a component is up again"} {
		if n := strings.Count(log.String(), once); n != 1 {
			t.Errorf("the log says %d times %q:\n%s", n, once, log.String())
		}
	}
	if table, err := status.List(t.Context(), p.home.Path, "table"); err != nil || len(table[0].Down) > 0 {
		t.Errorf("at the end: %+v, %v", table, err)
	}
	if strings.Contains(log.String(), postgrestest.Password) {
		t.Error("the password is in the log")
	}
}
