package tkit_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The script that installs libtensorflow refuses what it cannot install, installs an
// existing libtensorflow once, and writes the settings for the Go toolchain.
func TestInstallLibtensorflow(t *testing.T) {
	library, err := filepath.EvalSymlinks(".deps/libtensorflow")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("scripts/install-libtensorflow")
	if err != nil {
		t.Fatal(err)
	}
	checkout := t.TempDir() // which the script writes to
	at := filepath.Join(checkout, "scripts", "install-libtensorflow")
	if err := errors.Join(os.Mkdir(filepath.Dir(at), 0o700), os.WriteFile(at, script, 0o700)); err != nil {
		t.Fatal(err)
	}
	install := func(args ...string) (string, int) {
		c := exec.CommandContext(t.Context(), at, args...)
		said, err := c.CombinedOutput()
		if c.ProcessState == nil {
			t.Fatal(err)
		}
		return string(said), c.ProcessState.ExitCode()
	}
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"--nonsense", 2, "--from FOLDER"},
		{"--from", 2, "--from FOLDER"},
		{"--from " + checkout + "/none", 1, "no folder"},
		{"--from " + checkout, 1, "has no include/tensorflow/c/c_api.h"},
	} {
		if said, status := install(strings.Fields(c.args)...); status != c.status || !strings.Contains(said, c.says) {
			t.Errorf("%s: exit status %d, %s", c.args, status, said)
		}
	}
	if _, err := os.Stat(filepath.Join(checkout, ".deps", "libtensorflow")); err == nil {
		t.Error("a refused install left a folder behind")
	}
	said, status := install("--from", library)
	if status != 0 {
		t.Fatalf("exit status %d, %s", status, said)
	}
	settings, err := os.ReadFile(filepath.Join(checkout, ".deps", "env"))
	if err != nil || !strings.Contains(string(settings), checkout+"/.deps/libtensorflow/include") {
		t.Errorf("the settings are %q, %v", settings, err)
	}
	if said, status = install(); status != 0 || said != "" { // the kind that is installed
		t.Errorf("a second install: exit status %d, %s", status, said)
	}
	if left, err := filepath.Glob(filepath.Join(checkout, ".deps", ".libtensorflow*")); err != nil || len(left) > 0 {
		t.Errorf("work folders are left: %q, %v", left, err)
	}
}
