package scaffold_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tkit/internal/needs"
	"tkit/plugins/host"
	"tkit/plugins/preprocesstest"
	"tkit/plugins/python/pythontest"
	"tkit/plugins/scaffold"
	"tkit/plugins/store"
)

// run runs an author's program in a project, without tkit's own build
// environment.
func run(t *testing.T, folder, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = folder
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CGO_") && !strings.HasPrefix(v, "GOFLAGS=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A new project in Go builds, passes vet and its tests unchanged, outside
// tkit's tree, and its executable uses no C.
func TestGo(t *testing.T) {
	needs.Minutes(t)
	folder := filepath.Join(t.TempDir(), "brighten")
	if err := scaffold.Go(folder); err != nil {
		t.Fatal(err)
	}
	if out := run(t, folder, "gofmt", "-l", "."); out != "" {
		t.Errorf("gofmt would change %s", out)
	}
	run(t, folder, "go", "vet", "-trimpath", "./...")
	out := run(t, folder, "go", "test", "-trimpath", "-v", "./...")
	for _, want := range []string{"--- PASS: TestConformance/process/leaks", "--- PASS: TestProcess", "ok  \texample.com/brighten"} {
		if !strings.Contains(out, want) {
			t.Errorf("its tests do not say %q:\n%s", want, out)
		}
	}
	needed := strings.Fields(run(t, folder, "go", "list", "-deps", "-test", "-f", "{{with .Module}}{{.Path}}{{end}}", "./..."))
	text, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "//" && !slices.Contains(needed, fields[0]) {
			t.Errorf("go.mod names %s, which nothing imports", fields[0])
		}
	}
}

// A new project in Python passes its tests and type checks unchanged, and the
// suite for preprocessors, with the packages of its lock.
func TestPython(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "brighten")
	if err := scaffold.Python(folder); err != nil {
		t.Fatal(err)
	}
	pythontest.Run(t, folder, "-m", "pytest", "-q", "-p", "no:cacheprovider")
	pythontest.Run(t, folder, "-m", "mypy", "--cache-dir", t.TempDir())
	trial, err := store.In(t.TempDir()).Try(t.Context(), folder, store.Options{Python: needs.Python(t), Wheels: pythontest.Wheels(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := trial.Close(); err != nil {
			t.Error(err)
		}
	}()
	preprocesstest.RunProcess(t, func(c host.Config) (*host.Plugin, error) { return trial.Open(t.Context(), c) },
		preprocesstest.Options{Config: json.RawMessage(`{"by": 40}`)})
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ folder, words string }{
		{"In vert", "lower-case letters"},
		{"missing/invert", "no such file"},
		{"taken", "already exists"},
	} {
		if c.folder == "taken" {
			if err := os.Mkdir(filepath.Join(dir, c.folder), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := scaffold.Go(filepath.Join(dir, c.folder)); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: error %v, want one that says %q", c.folder, err, c.words)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("remaining files: %v, %v", entries, err)
	}
}
