package python_test

import (
	"testing"

	"tkit/plugins/python/pythontest"
)

// TestSDK runs the package's Python tests.
func TestSDK(t *testing.T) {
	pythontest.Run(t, ".", "-m", "pytest", "-q", "-p", "no:cacheprovider")
}

// TestSDKTypes checks the package's types for its users.
func TestSDKTypes(t *testing.T) {
	pythontest.Run(t, ".", "-m", "mypy", "--cache-dir", t.TempDir())
}
