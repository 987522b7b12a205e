// Package python has what the author of a plugin in Python builds on, which the
// program carries so that it can hand it out and build with it.
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

// SDK has the package tkit_plugins, as a folder that pip installs, and in
// requirements.txt the lock of a plugin that needs no more than it.
//
//go:embed README.md pyproject.toml requirements.txt tkit_plugins/*.py tkit_plugins/*.pyi tkit_plugins/py.typed
var SDK embed.FS

// ErrInterpreter is wrapped where the Python interpreter cannot be used.
var ErrInterpreter = errors.New("choose another Python interpreter")

// IsProject says whether a path is the project of a plugin in Python: a folder
// with a pyproject.toml.
func IsProject(path string) bool {
	info, err := os.Stat(filepath.Join(path, "pyproject.toml"))
	return err == nil && info.Mode().IsRegular()
}

// Build makes of a project the archive that is installed, by an interpreter
// (a command or a path), which needs no packages. The archive is the same for
// the same files, and there whole or not at all.
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
	cmd.WaitDelay = time.Second // what it has started may hold its output open
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
