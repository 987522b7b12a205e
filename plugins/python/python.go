// Package python contains the SDK for plugins in Python, embedded so that the
// program can copy it and build with it.
package python

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// SDK holds the package tkit_plugins, as a folder for pip, and in
// requirements.txt the lock of a plugin without other dependencies.
//
//go:embed README.md pyproject.toml requirements.txt tkit_plugins/*.py tkit_plugins/*.pyi tkit_plugins/py.typed
var SDK embed.FS

// ErrInterpreter is wrapped by errors about an unusable Python interpreter.
var ErrInterpreter = errors.New("choose another Python interpreter")

// IsProject reports whether a path is a project of a plugin in Python: a folder
// with a pyproject.toml.
func IsProject(path string) bool {
	info, err := os.Stat(filepath.Join(path, "pyproject.toml"))
	return err == nil && info.Mode().IsRegular()
}

// Build makes a project's archive for installation, with an interpreter (a
// command or a path), which needs no packages. Equal files give equal archives,
// and the archive is written atomically.
func Build(ctx context.Context, interpreter, project, archive string) (err error) {
	sdk, err := os.MkdirTemp("", "tkit-plugin-sdk-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(sdk)) }()
	if err := os.CopyFS(sdk, SDK); err != nil {
		return err
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, interpreter, "-ISB", filepath.Join(sdk, "tkit_plugins", "build.py"), project, archive)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = time.Second // its children may hold its output open
	err = cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if words := strings.TrimSpace(said.String()); err != nil && words != "" {
		return fmt.Errorf("build %s: %s", project, words)
	}
	if err != nil {
		return fmt.Errorf("build %s: %w; %w", project, err, ErrInterpreter)
	}
	return nil
}
