package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tkit/internal/needs"
)

// TestNewPlugin does what an author does: it creates, builds, tests, measures and
// installs a plugin.
func TestNewPlugin(t *testing.T) {
	t.Parallel()
	needs.Minutes(t)
	home, folder := t.TempDir(), filepath.Join(t.TempDir(), "brighten")
	mustRun(t, home, "plugins", "new", "--lang", "go", folder)
	refused(t, home, "already exists", "plugins", "new", folder)
	refused(t, home, `--lang is "cobol"`, "plugins", "new", "--lang", "cobol", folder+"-2")
	refused(t, home, "plugins new takes NAME", "plugins", "new")

	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", "brighten", ".")
	build.Dir, build.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	program := filepath.Join(folder, "brighten")
	out := mustRun(t, home, "plugins", "test", "--config", `{"by": 40}`, "--rounds", "30", program)
	for _, want := range []string{"how this machine confines plugins", "capabilities dropped\n", "network closed\n", "brighten@0.1.0, sha256:", "batch equals singles passed", "leaks                passed", "input unchanged      skipped"} {
		if !strings.Contains(out, want) {
			t.Errorf("plugins test does not say %q:\n%s", want, out)
		}
	}
	if out := mustRun(t, home, "plugins", "bench", "--sides", "32x32x3", "--batch", "4", program); !strings.Contains(out, "4 images of 32×32×3") || !strings.Contains(out, "\ngRPC ") {
		t.Errorf("plugins bench: %s", out)
	}
	refused(t, home, "does not match its schema", "plugins", "bench", "--config", `{"by": 400}`, program)
	refused(t, home, "--sides: ", "plugins", "bench", "--sides", "32x32x3x1", program)
	refused(t, home, "want a JSON object", "plugins", "test", "--config", "by: 40", program)
	refused(t, home, "want a JSON object", "plugins", "test", "--config", "[40]", program)
	refused(t, home, "--rounds is 0", "plugins", "test", "--rounds", "0", program)
	refused(t, home, "no such file", "plugins", "test", program+"x")
	if left, err := os.ReadDir(filepath.Join(home, "plugins")); err != nil || len(left) > 0 {
		t.Errorf("left in the store: %v, %v", left, err)
	}
	mustRun(t, home, "plugins", "install", program)

	// Training can use its pipeline, with the size and the channels of LeNet-5.
	text, err := os.ReadFile(filepath.Join(folder, "pipeline.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	data, steps := filepath.Join(t.TempDir(), "data"), filepath.Join(folder, "small.yaml")
	small := strings.NewReplacer("224", "32", "channels: 3", "channels: 1").Replace(string(text))
	if err := os.WriteFile(steps, []byte(small), 0o644); err != nil {
		t.Fatal(err)
	}
	mustRun(t, home, "datasets", "sample", "--digits", "0,1", data)
	train := []string{"train", "--architecture", "lenet5", "--data", data, "--name", "digits", "--epochs", "1", "--preprocessing", steps}
	mustRun(t, home, train...)
	lines := strings.SplitAfter(small, "\n")
	slices.Reverse(lines[3:5]) // the plugin after the resize
	if err := os.WriteFile(steps, []byte(strings.Join(lines, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, home, "plugin brighten@0.1.0: it takes uint8 images, but the step before it gives float32: put it directly after the decode", train...)
}

// A plugin that takes files is tried with the given files.
func TestPluginSamples(t *testing.T) {
	t.Parallel()
	needs.Minutes(t)
	home, dir := t.TempDir(), t.TempDir()
	program := filepath.Join(dir, "dicom-window")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, "tkit/plugins/examples/dicom-window")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	var scan bytes.Buffer
	if err := png.Encode(&scan, image.NewGray16(image.Rect(0, 0, 40, 30))); err != nil {
		t.Fatal(err)
	}
	good, bad := filepath.Join(dir, "scan.png"), filepath.Join(dir, "letter.txt")
	if err := errors.Join(os.WriteFile(good, scan.Bytes(), 0o644), os.WriteFile(bad, []byte("Dear Sir"), 0o644)); err != nil {
		t.Fatal(err)
	}
	mustRun(t, home, "plugins", "test", "--rounds", "10", "--sample", good, program)
	mustRun(t, home, "plugins", "bench", "--batch", "2", "--sample", good, program)
	for _, command := range []string{"test", "bench"} {
		if out, _, err := tkit(t, home, "plugins", command, "--sample", good, "--sample", bad, program); err == nil || !strings.Contains(out+err.Error(), "neither") {
			t.Errorf("plugins %s with a letter: %v\n%s", command, err, out)
		}
		refused(t, home, "--sample: open "+bad+"x", "plugins", command, "--sample", bad+"x", program)
	}
}

// A failed check is reported, in JSON too, and by the exit status.
func TestPluginThatFailsItsChecks(t *testing.T) {
	t.Parallel()
	needs.Minutes(t)
	home, program := t.TempDir(), buildFaulty(t, "1.0.0")
	out, _, err := tkit(t, home, "plugins", "test", "--json", "--config", `{"do": "lie"}`, "--rounds", "10", program)
	if err == nil || !strings.Contains(err.Error(), "faulty@1.0.0 fails ") {
		t.Errorf("error %v, want that checks fail", err)
	}
	var told struct {
		Plugin      string
		Passed      bool
		Protections map[string]bool
		Checks      []struct{ Check, Fault string }
	}
	if err := json.Unmarshal([]byte(out), &told); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	found := false
	for _, c := range told.Checks {
		found = found || c.Check == "determinism" && strings.Contains(c.Fault, "returns different results for equal batches")
	}
	if told.Passed || told.Plugin != "faulty@1.0.0" || !told.Protections["powers"] || !found {
		t.Errorf("told %+v", told)
	}
	if out, _, err := tkit(t, home, "plugins", "test", "--config", `{"do": "lie"}`, "--rounds", "10", program); err == nil || !strings.Contains(out, "determinism          FAILED") {
		t.Errorf("%v\n%s", err, out)
	}
}
