package python_test

import (
	"testing"

	"tkit/plugins/python/pythontest"
)

// TestSDK runs the tests of the package in its own language.
func TestSDK(t *testing.T) {
	pythontest.Run(t, ".", "-m", "pytest", "-q", "-p", "no:cacheprovider")
}

// TestSDKTypes checks the types that the package gives to its users.
func TestSDKTypes(t *testing.T) {
	pythontest.Run(t, ".", "-m", "mypy", "--cache-dir", t.TempDir())
}
