package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// usedHome returns a home with a version, a dataset of olga's and recorded decisions.
// Its database is one file, without a write-ahead log.
func usedHome(t *testing.T) (dir, data string) {
	t.Helper()
	dir = registryAt(t)
	data = filepath.Join(t.TempDir(), "scans")
	mustRun(t, dir, "datasets", "sample", "--digits", "1", data)
	mustRun(t, dir, "datasets", "add", "--owner", "user:olga", "scans", data)
	return dir, data
}

// execute changes a home's database directly.
func execute(t *testing.T, file string, statements ...string) {
	t.Helper()
	d, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, s := range statements {
		if _, err := d.Exec(s); err != nil {
			t.Fatal(s, err)
		}
	}
}

// A home whose database was lost is refused, with a remedy, and keeps every blob. It
// opens again when its database is restored.
func TestLostDatabase(t *testing.T) {
	t.Parallel()
	dir, data := usedHome(t)
	other, _ := usedHome(t)
	file := filepath.Join(dir, "registry.db")
	kept := read(t, file)
	blobs := func() int {
		found, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	before := blobs()
	write := func(b []byte) func() { return func() { must(t, os.WriteFile(file, b, 0o600)) } }
	for name, damage := range map[string]func(){
		"missing":                 func() {},
		"empty":                   write(nil),
		"cut to a page":           write(kept[:4096]),
		"cut in a page":           write(kept[:len(kept)/2+100]),
		"text":                    write([]byte(strings.Repeat("no database\n", 100))),
		"a folder":                func() { must(t, os.Mkdir(file, 0o700)) },
		"a link to nothing":       func() { must(t, os.Symlink(filepath.Join(dir, "gone"), file)) },
		"a link to another's":     func() { must(t, os.Symlink(filepath.Join(other, "registry.db"), file)) },
		"another home's":          write(read(t, filepath.Join(other, "registry.db"))),
		"of another program":      func() { execute(t, file, "CREATE TABLE notes (x)") },
		"made anew":               func() { execute(t, file, "PRAGMA application_id = 0x746b6974") },
		"without access tables":   func() { write(kept)(); execute(t, file, dropped("access")...) },
		"without registry tables": func() { write(kept)(); execute(t, file, dropped("registry")...) },
		"without an identity":     func() { write(kept)(); execute(t, file, dropped("home")...) },
		"of a newer tkit": func() {
			write(kept)()
			execute(t, file, "INSERT INTO migrations VALUES ('home', 2, 'x', 'x', 'x')")
		},
		"with tables of a newer tkit": func() {
			write(kept)()
			execute(t, file, "INSERT INTO migrations VALUES ('catalog', 1, 'x', 'x', 'x')")
		},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, os.RemoveAll(file))
			for _, beside := range []string{"-wal", "-shm"} {
				must(t, os.RemoveAll(file+beside))
			}
			damage()
			for _, args := range []string{"datasets check " + data, "registry gc", "registry list", "datasets list", "access token create",
				"train --architecture lenet5 --epochs 1 --name x --data " + data, "predict --model flowers x.png", "serve --http 127.0.0.1:0 --grpc="} {
				if out, _, err := tkit(t, dir, strings.Fields(args)...); err == nil {
					t.Errorf("tkit %s is answered: %s", args, out)
				}
			}
			if n := blobs(); n != before {
				t.Errorf("%d of %d blobs are left", n, before)
			}
		})
	}
	must(t, os.RemoveAll(file))
	write(kept)()
	mustRun(t, dir, "registry", "verify")
	if _, _, err := tkit(t, dir, "datasets", "check", data); err == nil || !strings.Contains(err.Error(), "not allowed") {
		t.Errorf("with the database back: %v", err)
	}
}

// dropped returns the statements that remove the tables of one package and the record
// of its migrations.
func dropped(owner string) []string {
	tables := map[string][]string{
		"access":   {"access_grants", "access_exemptions", "access_tokens", "access_snapshots", "access_objects", "access_audit", "access_generation"},
		"registry": {"deletions", "aliases", "events", "parts", "versions", "models", "bases"},
		"home":     {"home"},
	}
	all := []string{"PRAGMA foreign_keys = 0"}
	for _, table := range tables[owner] {
		all = append(all, "DROP TABLE "+table)
	}
	return append(all, "DELETE FROM migrations WHERE room = '"+owner+"'")
}

// The file with the home's identity must not be lost either, or any database would
// fit.
func TestLostIdentity(t *testing.T) {
	t.Parallel()
	dir, data := usedHome(t)
	file := filepath.Join(dir, "identity")
	kept := read(t, file)
	for name, damage := range map[string]func(){
		"missing":        func() {},
		"empty":          func() { must(t, os.WriteFile(file, nil, 0o600)) },
		"another home's": func() { must(t, os.WriteFile(file, []byte("0123"), 0o600)) },
		"a folder":       func() { must(t, os.Mkdir(file, 0o700)) },
	} {
		must(t, os.RemoveAll(file))
		damage()
		_, _, err := tkit(t, dir, "datasets", "check", data)
		if err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, os.RemoveAll(file))
	must(t, os.WriteFile(file, kept, 0o600))
	mustRun(t, dir, "datasets", "list")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	must(t, err)
	return b
}
