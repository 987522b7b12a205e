package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/commandline"
	"tkit/internal/postgrestest"
)

// runOn runs tkit with a home and the database that TKIT_DATABASE names.
func runOn(t *testing.T, home string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	a := app()
	a.Writer = &out
	err := commandline.Run(t.Context(), a, append([]string{"tkit", "--home", home}, args...))
	return out.String(), err
}

// Homes share a database that was initialised: datasets, tokens, the audit log. Nothing
// tells its password.
func TestDatabase(t *testing.T) {
	server := postgrestest.Start(t)
	address := server.Database(t)
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	steps := []struct {
		home, database string
		args           []string
		want, refused  string
	}{
		{a, "", []string{"database", "init"}, "", "TKIT_DATABASE"},
		{a, "mysql://u:" + postgrestest.Password + "@h", []string{"datasets", "list"}, "", "not a connection string"},
		{a, postgrestest.WrongPassword(address), []string{"database", "init"}, "", "password of the address"},
		{a, address, []string{"datasets", "list"}, "", "`tkit --database ADDRESS database init`"},
		{a, address, []string{"database", "init"}, "the database is ready", ""},
		{a, address, []string{"database", "init", "--json"}, `"initialised": true`, ""},
		{a, address, []string{"datasets", "add", "scans", t.TempDir()}, "scans", ""},
		{b, address, []string{"datasets", "list"}, "scans", ""},
		{b, address, []string{"access", "token", "create", "user:olga"}, "", ""},
		{a, address, []string{"access", "token", "list"}, "user:olga", ""},
		{a, address, []string{"datasets", "audit"}, "create-token", ""},
		{b, address, []string{"datasets", "audit", "verify"}, "nothing was changed", ""},
		{b, address, []string{"registry", "verify"}, "", ""},
		{b, address, []string{"registry", "gc", "--dry-run"}, "", ""},
		{a, "", []string{"datasets", "list"}, "", "TKIT_DATABASE"},
	}
	for _, s := range steps {
		t.Setenv("TKIT_DATABASE", s.database)
		out, err := runOn(t, s.home, s.args...)
		text := out
		if err != nil {
			text = err.Error()
		}
		if (err != nil) != (s.refused != "") || !strings.Contains(text, s.want+s.refused) {
			t.Errorf("%q: %q, %v", s.args, out, err)
		}
		if strings.Contains(text, postgrestest.Password) {
			t.Errorf("%q tells the password: %q", s.args, text)
		}
	}
	if _, err := os.Stat(filepath.Join(a, "registry.db")); !os.IsNotExist(err) {
		t.Errorf("the home has a database of its own: %v", err)
	}
	if logs, err := fs.Glob(os.DirFS(a), "audit/*.jsonl"); len(logs) > 0 || err != nil {
		t.Errorf("the home has an audit log of its own: %q, %v", logs, err)
	}
	t.Setenv("TKIT_DATABASE", address)
	if help, err := runOn(t, a, "--help"); err != nil || strings.Contains(help, postgrestest.Password) || !strings.Contains(help, "--database") {
		t.Errorf("the help: %v\n%s", err, help)
	}
}
