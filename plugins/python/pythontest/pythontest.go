// Package pythontest runs plugins in Python for tests, with the interpreter and
// the packages installed by scripts/install-python.
package pythontest

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tkit/internal/needs"
	"tkit/plugins/host"
	"tkit/plugins/python"
)

// Wheels returns a folder with the wheels of the packages that plugins need.
func Wheels(t testing.TB) string {
	t.Helper()
	return filepath.Join(needs.Root(t), ".deps", "wheels")
}

// Plugin is the archive of a project.
type Plugin struct {
	path, digest string
	how          host.Config
}

// Build makes the archive of a project, removed at the end of the test.
func Build(t *testing.T, project string) Plugin {
	t.Helper()
	interpreter := needs.Python(t)
	dir := t.TempDir()
	p := Plugin{path: filepath.Join(dir, "plugin.pyz")}
	err := python.Build(t.Context(), interpreter, project, p.path)
	if err == nil {
		p.digest, err = host.Digest(p.path)
	}
	if err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), interpreter, "-c", `import os, sys, numpy
print(os.path.dirname(sys.executable), os.path.realpath(sys.prefix), sys.base_prefix, os.path.dirname(os.path.dirname(numpy.__file__)), sep="\n")`).Output()
	where := strings.Split(strings.TrimSpace(string(said)), "\n")
	if err != nil || len(where) != 4 {
		t.Fatalf("%s (scripts/install-python makes it): %v", interpreter, err)
	}
	p.how = host.Config{
		Folders: []string{dir}, Path: where[:1], Readable: where[1:],
		Environment: []string{"TKIT_PLUGIN_PACKAGES=" + where[3]},
	}
	return p
}

// Open starts the plugin with the interpreter's packages, without installing
// any.
func (p Plugin) Open(ctx context.Context, c host.Config, environment ...string) (*host.Plugin, error) {
	c.Folders, c.Path, c.Readable = p.how.Folders, p.how.Path, p.how.Readable
	c.Environment = append(environment, p.how.Environment...)
	return host.Open(ctx, p.path, p.digest, c)
}

// Run runs the interpreter on a project's tests or the like. A hanging process
// is killed, and the test fails with its output.
func Run(t *testing.T, project string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, needs.Python(t), append([]string{"-B"}, args...)...)
	cmd.Dir = project
	cmd.WaitDelay = 10 * time.Second // its children may hold its output open
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", args, err, out)
	}
}
