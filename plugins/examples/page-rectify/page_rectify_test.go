package rectify_test

import (
	"encoding/json"
	"testing"

	"tkit/plugins/host"
	"tkit/plugins/preprocesstest"
	"tkit/plugins/python/pythontest"
)

// TestProject runs the plugin's own tests and type checks.
func TestProject(t *testing.T) {
	pythontest.Run(t, ".", "-m", "pytest", "-q", "-p", "no:cacheprovider")
	pythontest.Run(t, ".", "-m", "mypy", "--cache-dir", t.TempDir())
}

// TestConformance runs the suite for preprocessors.
func TestConformance(t *testing.T) {
	p := pythontest.Build(t, ".")
	preprocesstest.RunProcess(t, func(c host.Config) (*host.Plugin, error) { return p.Open(t.Context(), c) },
		preprocesstest.Options{Config: json.RawMessage(`{"inset": 0.1}`)})
}
