// Package needs lets a test declare that it needs more than Go: Python, a Java
// virtual machine, PostgreSQL, Redis, a shell, or minutes. `make check` runs `go test -short`, which skips
// such tests. Without -short nothing is skipped: a test fails if its
// requirements are missing.
package needs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// Python returns the path of the project's Python, which has TensorFlow, Keras
// and scikit-learn: TKIT_PYTHON, or the one installed by
// scripts/install-python.
func Python(t testing.TB) string {
	t.Helper()
	skip(t, "Python")
	python := os.Getenv("TKIT_PYTHON")
	if python == "" {
		python = filepath.Join(Root(t), ".deps", "python", "bin", "python")
	}
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("no Python for the tests: %v; run scripts/install-python, or set TKIT_PYTHON", err)
	}
	return python
}

// JVM declares that the test runs Java programs, such as a real HDFS.
func JVM(t testing.TB) {
	t.Helper()
	skip(t, "a Java virtual machine")
}

// Shell returns the path of a shell: bash, zsh or fish.
func Shell(t testing.TB, name string) string {
	t.Helper()
	skip(t, name)
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("no %s for the tests: %v; install the package %[1]s", name, err)
	}
	return path
}

// Postgres returns the folder of PostgreSQL's programs, of the newest version that is
// installed.
func Postgres(t testing.TB) string {
	t.Helper()
	skip(t, "PostgreSQL")
	programs, err := FindPostgres()
	if err != nil {
		t.Fatal(err)
	}
	return programs
}

// FindPostgres is Postgres for code that runs outside of a test.
func FindPostgres() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	// Debian does not have them in the path.
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("no PostgreSQL: run scripts/install-postgres, or install the package postgresql")
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })), nil
}

// Redis returns the path of a program that is a Redis server if it is called
// redis-server.
func Redis(t testing.TB) string {
	t.Helper()
	skip(t, "Redis")
	for _, name := range []string{"redis-server", "redis-check-rdb"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no Redis for the tests: run scripts/install-redis, or install the package redis-server")
	return ""
}

// Chromium returns the path of the browser.
func Chromium(t testing.TB) string {
	t.Helper()
	skip(t, "Chromium")
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("no Chromium for the tests: %v; run scripts/install-chromium", err)
	}
	return path
}

// Minutes declares that the test takes too long to be run after every edit.
func Minutes(t testing.TB) {
	t.Helper()
	skip(t, "minutes")
}

// Installed returns the folder below .deps that `make deps-NAME` installs.
func Installed(name string) (string, error) {
	root, err := FindRoot()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(root, ".deps", name)
	if _, err := os.Stat(filepath.Join(folder, "installed")); err != nil {
		return "", fmt.Errorf("%s is not installed in %s: run make deps-%[1]s", name, folder)
	}
	return folder, nil
}

func skip(t testing.TB, what string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("it needs %s; `make test` runs it", what)
	}
}

// Root returns the root folder of the repository.
func Root(t testing.TB) string {
	t.Helper()
	root, err := FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// FindRoot is Root for code that runs outside of a test.
func FindRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the test's folder")
		}
		dir = parent
	}
}
