package host_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/needs"
)

// TestEmbeddedLauncher builds the launcher and runs the tests of the sandbox in
// a program that embeds it, like tkit from `make build`.
func TestEmbeddedLauncher(t *testing.T) {
	needs.Minutes(t)
	dir := t.TempDir()
	launcher, overlay := filepath.Join(dir, "launcher"), filepath.Join(dir, "overlay.json")
	output(t, "go", "build", "-trimpath", "-o", launcher, "../internal/launch/launcher")
	embedded, err := filepath.Abs("../internal/launch/_launcher")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {embedded: launcher}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, text, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []string{"TestLauncherIsCarried", "TestLauncherIsSealed", "TestBreakingOut", "TestProtections", "TestFiles",
		"TestNetwork", "TestUnixSockets", "TestEnvironment", "TestNoOrphans", "TestCrashIsRetriedOnce", "TestFaultsAtStart"}
	out := output(t, "go", "test", "-count=1", "-v", "-tags", "launcher", "-overlay", overlay,
		"-run", "^("+strings.Join(tests, "|")+")$", ".", "../internal/launch")
	for _, name := range tests {
		if !strings.Contains(out, "\n--- PASS: "+name+" ") {
			t.Errorf("%s did not run:\n%s", name, out)
		}
	}
}

// output runs a program without cgo, like an author.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}
