package keras

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed freeze.py
var freezeScript string

// Frozen is a network as a graph with constant weights.
type Frozen struct {
	Input  string `json:"input"` // "node:0"
	Output string `json:"output"`
	// Load is the time to load the SavedModel for the second time in a process,
	// in seconds by loader: "v1" or "v2".
	Load map[string]float64 `json:"load"`
}

// Freeze writes the frozen graph of a SavedModel's serving signature to a file.
func Freeze(ctx context.Context, savedModel, file string) (Frozen, error) {
	out, err := run(ctx, freezeScript, savedModel, file)
	if err != nil {
		return Frozen{}, err
	}
	var f Frozen
	if err := json.Unmarshal(out, &f); err != nil {
		return Frozen{}, fmt.Errorf("keras: %q: %w", out, err)
	}
	return f, nil
}
