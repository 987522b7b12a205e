// Command invert is a correct plugin.
package main

import (
	"context"
	"encoding/json"

	"tkit/plugins"
)

type invert struct{}

func (invert) Describe() plugins.Description {
	pixels := plugins.Form{Kind: plugins.Uint8}
	return plugins.Description{Name: "invert", Version: "1.0.0", Takes: pixels, Gives: pixels, Deterministic: true}
}

func (invert) Process(_ context.Context, _ json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
	out := plugins.NewBatch(in.Kind, in.Count, in.Shape)
	for i, v := range in.Uint8 {
		out.Uint8[i] = 255 - v
	}
	return out, nil
}

func main() { plugins.Serve(invert{}) }
