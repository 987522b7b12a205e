// Command identity is a plugin that does nothing: it returns the images
// unchanged.
package main

import (
	"context"
	"encoding/json"

	"tkit/plugins"
)

type identity struct{}

func (identity) Describe() plugins.Description {
	pixels := plugins.Form{Kind: plugins.Uint8}
	return plugins.Description{Name: "identity", Version: "1.0.0", Takes: pixels, Gives: pixels, Deterministic: true}
}

func (identity) Process(_ context.Context, _ json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
	return in, nil
}

func main() { plugins.Serve(identity{}) }
