package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/needs"
)

// A training on images that a pipeline has classified runs none of them through the
// trunk, and gives the head of a training that does.
func TestKeptBottlenecks(t *testing.T) {
	t.Parallel()
	needs.Minutes(t)
	dir := t.TempDir()
	home, low, high := filepath.Join(dir, "home"), filepath.Join(dir, "low"), filepath.Join(dir, "high")
	mustRun(t, home, "datasets", "sample", "--digits", "0,1,7", low)
	mustRun(t, home, "datasets", "sample", "--digits", "4-6", high)
	mustRun(t, home, "train", "--architecture", "lenet5", "--data", low, "--name", "base", "--epochs", "1")
	train := func(data, model string) (h trainedHead, computed bool) {
		t.Helper()
		events := mustRun(t, home, "train", "--base", "base@1", "--cut", "F6/relu", "--data", data, "--name", model, "--promote", "--json")
		for line := range strings.Lines(events) {
			var e struct {
				Event string
				Data  trainedHead
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			if e.Event == "head" {
				h = e.Data
			}
		}
		return h, strings.Contains(events, `"phase":"bottlenecks"`)
	}
	train(low, "digits")
	pipeline := filepath.Join(dir, "pipeline.yaml")
	text := fmt.Sprintf(`name: digits
input: {tkit_directory: {path: %q, settle: 1ms}}
pipeline: {processors: [{tkit_classify: {models: [digits], keep_bottlenecks_gb: 1}}]}
output: {tkit_folder: {path: review, partition: "{label}"}}
`, high)
	if err := os.WriteFile(pipeline, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, home, "ingest", "run", "--once", pipeline)
	review := filepath.Join(dir, "review")
	found, computed := train(review, "kept")
	if computed {
		t.Error("images were run through the trunk again")
	}
	mustRun(t, home, "cache", "clear")
	again, computed := train(review, "computed")
	if !computed {
		t.Error("no image was run through the trunk after the cache was cleared")
	}
	// The sizes of batches differ, and so does the rounding.
	if found.Penalty != again.Penalty || found.Objective == 0 || math.Abs(found.Objective-again.Objective) > 1e-4*again.Objective {
		t.Errorf("with kept bottlenecks the head is %+v, without %+v", found, again)
	}
}

// A trainedHead is the event of a head.
type trainedHead struct{ Penalty, Objective float64 }
