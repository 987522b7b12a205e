package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// command runs a program in a folder and returns what it prints, without the
// last newline. The error contains the program's error output.
func command(ctx context.Context, folder, name string, arguments ...string) (string, error) {
	return commandWith(ctx, folder, nil, append([]string{name}, arguments...)...)
}

// commandWith does the same with additions to the environment.
func commandWith(ctx context.Context, folder string, environment []string, line ...string) (string, error) {
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), environment...)
	var out, report bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &report
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(line, " "), errors.Join(err, errors.New(strings.TrimSpace(report.String()))))
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}
