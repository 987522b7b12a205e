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

// Applications get the versions that they are bound to, and the history knows what they
// had.
func TestBindings(t *testing.T) {
	home := registryAt(t)
	for _, s := range []struct {
		args []string
		want string // of the output, or of the error
		bad  bool
	}{
		{[]string{"bindings"}, "no application is bound", false},
		{[]string{"bind", "web", "flowers"}, "no version has the alias production", true},
		{[]string{"promote", "flowers@2"}, "version 2", false},
		{[]string{"bind", "web", "flowers"}, "web gets production of flowers", false},
		{[]string{"bind", "kiosk", "flowers", "--version", "1", "--reason", "validated"}, "kiosk gets version 1 of flowers", false},
		{[]string{"bind", "kiosk", "flowers", "--version", "1", "--alias", "production"}, "not to both", true},
		{[]string{"bind", "Kiosk", "flowers"}, "application", true},
		{[]string{"bindings", "flowers"}, "validated", false},
		{[]string{"remove", "flowers@1"}, "`tkit registry bindings`", true},
		{[]string{"history", "flowers"}, "kiosk → version 1", false},
		{[]string{"history", "flowers", "--at", "2999-12-31"}, "application kiosk  version 1", false},
		{[]string{"history", "flowers", "--at", "1999-12-31"}, "HAD", false},
		{[]string{"history", "--at", "1999-12-31"}, "name it", true},
		{[]string{"history", "flowers", "--at", "yesterday"}, "--at", true},
		{[]string{"unbind", "kiosk", "flowers"}, "in production", false},
		{[]string{"properties", "flowers@1", "--description", "of May", "--state", "deprecated"}, "of May", false},
		{[]string{"properties", "flowers", "--tag", "team=botany"}, "botany", false},
		{[]string{"properties", "flowers", "--tag", "team"}, "NAME=VALUE", true},
		{[]string{"properties", "flowers", "--state", "deprecated"}, "a version can become", true},
		{[]string{"properties", "flowers@1"}, "deprecated", false},
		{[]string{"properties", "flowers"}, "botany", false},
		{[]string{"promote", "flowers@1"}, "--state available", true},
		{[]string{"history", "flowers"}, "tag team=botany", false},
		{[]string{"unbind", "kiosk", "flowers"}, "no binding", true},
		{[]string{"remove", "flowers@1"}, "removed flowers@1", false},
	} {
		out, err := runRegistry(t, home, s.args...)
		if err != nil {
			out = err.Error()
		}
		if (err != nil) != s.bad || !strings.Contains(out, s.want) {
			t.Errorf("%q: %q, %v; want %q", s.args, out, err, s.want)
		}
	}
}
