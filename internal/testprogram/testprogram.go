// Package testprogram builds programs for tests.
package testprogram

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// Build builds the program of a package to a path, without cgo, as authors of
// plugins do. The flags are those of `go build`. Build is fast if nothing has
// changed: unlike `go build`, `go run` keeps executables in Go's build cache.
func Build(ctx context.Context, pkg, path string, flags ...string) error {
	args := append([]string{"run", "-trimpath", "-exec", "cp"}, flags...) // runs: cp EXECUTABLE PATH
	cmd := exec.CommandContext(ctx, "go", append(args, pkg, path)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// Faulty builds a plugin of the given version whose faults are set by its
// configuration: plugins/host/testdata/faulty.
func Faulty(ctx context.Context, path, version string) error {
	return Build(ctx, "tkit/plugins/host/testdata/faulty", path, "-ldflags", "-X main.version="+version)
}
