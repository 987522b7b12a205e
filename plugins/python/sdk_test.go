package python_test

import (
	"os/exec"
	"testing"
)

// TestSDK runs the tests of the package in its own language.
func TestSDK(t *testing.T) {
	runs(t, "-m", "pytest", "-q", "-p", "no:cacheprovider")
}

// TestSDKTypes checks the types that the package gives to its users.
func TestSDKTypes(t *testing.T) {
	runs(t, "-m", "mypy", "--cache-dir", t.TempDir())
}

func runs(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), interpreter, append([]string{"-B"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", args, err, out)
	}
}
