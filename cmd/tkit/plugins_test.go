package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/needs"
	"tkit/internal/testprogram"
	"tkit/plugins/store"
	"tkit/registry"
)

// buildFaulty builds a plugin whose faults are set by its configuration.
func buildFaulty(t *testing.T, version string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "faulty")
	if err := testprogram.Faulty(t.Context(), path, version); err != nil {
		t.Fatal(err)
	}
	return path
}

// preprocessingFile writes a preprocessing for lenet5 with a plugin step.
func preprocessingFile(t *testing.T, step string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "preprocessing.yaml")
	text := "steps:\n- decode: {channels: 1}\n- resize: {height: 32, width: 32, kernel: bilinear}\n- plugin: " + step + "\n- normalise: {mode: unit}\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func refused(t *testing.T, home, words string, args ...string) {
	t.Helper()
	if out, _, err := tkit(t, home, args...); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("tkit %s: error %v, want one that says %q\n%s", strings.Join(args, " "), err, words, out)
	}
}

// TestPluginJob installs a plugin, trains with it and predicts with the version,
// which needs exactly this plugin.
func TestPluginJob(t *testing.T) {
	t.Parallel()
	needs.Minutes(t)
	dir := t.TempDir()
	home, data := filepath.Join(dir, "home"), filepath.Join(dir, "data")
	mustRun(t, home, "datasets", "sample", "--digits", "0,1", data)
	executable := buildFaulty(t, "1.0.0")

	train := func(step string, more ...string) []string {
		return append([]string{"train", "--architecture", "lenet5", "--data", data, "--name", "digits", "--epochs", "1", "--preprocessing", preprocessingFile(t, step)}, more...)
	}
	refused(t, home, "plugin faulty is not installed (`tkit plugins install PATH` installs it)", train("{name: faulty}")...)
	mustRun(t, home, "plugins", "install", executable)
	refused(t, home, "does not match its schema", train("{name: faulty, config: {undo: it}}")...)
	refused(t, home, "there are 1.0.0", train("{name: faulty, version: 2.0.0}")...)
	refused(t, home, `line 4: plugin has no "conf"`, train("{name: faulty, conf: {}}")...)

	mustRun(t, home, train("{name: faulty}", "--promote")...)
	var shown registry.Version
	if err := json.Unmarshal([]byte(mustRun(t, home, "registry", "show", "--json", "digits@1")), &shown); err != nil {
		t.Fatal(err)
	}
	pinned := shown.Manifest.Preprocessing.Plugins()
	if len(pinned) != 1 || pinned[0].Version != "1.0.0" || !strings.HasPrefix(pinned[0].Digest, "sha256:") {
		t.Fatalf("the manifest pins %+v", pinned)
	}
	if shown.Manifest.Metrics == nil || shown.Manifest.Metrics.Accuracy.Value < 0.8 {
		t.Errorf("metrics %+v", shown.Manifest.Metrics)
	}
	images, err := filepath.Glob(filepath.Join(data, "1", "*.png"))
	if err != nil || len(images) == 0 {
		t.Fatal(images, err)
	}
	if out := mustRun(t, home, "predict", "--model", "digits", "--top", "1", images[0]); !strings.Contains(out, "1 ") {
		t.Errorf("predicted %s", out)
	}

	refused(t, home, "faulty@1.0.0 is needed by digits@1", "plugins", "remove", "faulty")
	i, err := store.In(home).Lookup("faulty")
	if err := errors.Join(err, os.Chmod(i.Path, 0o755), os.WriteFile(i.Path, []byte("#!/bin/sh\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	refused(t, home, "the executable was replaced", "predict", "--model", "digits", images[0])
	mustRun(t, home, "plugins", "remove", "--force", "faulty")
	refused(t, home, "plugin faulty 1.0.0 ("+pinned[0].Digest[:19]+") is not installed", "predict", "--model", "digits", images[0])
	mustRun(t, home, "plugins", "install", buildFaulty(t, "1.1.0")) // another one does not do
	refused(t, home, "plugin faulty 1.0.0 ("+pinned[0].Digest[:19]+") is not installed; there are 1.1.0", "predict", "--model", "digits", images[0])
}

// Training continues with a plugin that is not deterministic but says that it is. It
// reports that, and leaves out images for which the plugin fails.
func TestTrainingWithAFaultyPlugin(t *testing.T) {
	t.Parallel()
	needs.Minutes(t)
	dir := t.TempDir()
	home, data := filepath.Join(dir, "home"), filepath.Join(dir, "data")
	mustRun(t, home, "datasets", "sample", "--digits", "0,1", data)
	mustRun(t, home, "plugins", "install", buildFaulty(t, "1.0.0"))
	mustRun(t, home, "train", "--architecture", "lenet5", "--data", data, "--name", "base", "--epochs", "1")
	train := func(do string) (string, string, error) {
		return tkit(t, home, "train", "--base", "base@1", "--cut", "auto", "--data", data, "--name", "digits", "--preprocessing", preprocessingFile(t, "{name: faulty, config: {do: "+do+"}}"))
	}
	if _, status, err := train("lie"); err != nil || !strings.Contains(status, "faulty@1.0.0 returned different results for the same images") {
		t.Errorf("a liar: %v\n%s", err, status)
	}
	if parts, err := os.ReadDir(filepath.Join(home, "bottlenecks")); err != nil && !errors.Is(err, os.ErrNotExist) || len(parts) > 0 {
		t.Errorf("%d parts of the bottleneck cache are kept, %v", len(parts), err)
	}
	for do, words := range map[string]string{
		"nan": "a value that is not finite", "shape": "1×1×1", "crash": "a bug of the author's", "error": "cannot do that",
	} {
		if out, status, err := train(do); err == nil || !strings.Contains(err.Error()+out+status, words) {
			t.Errorf("%s: %v, want %q told\n%s", do, err, words, status)
		}
	}
	if n := versions(t, home, "digits"); n != 1 {
		t.Errorf("%d versions of digits are registered, want 1", n)
	}
}

func TestPluginsCommands(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if out := mustRun(t, home, "plugins", "list"); !strings.Contains(out, "no plugin is installed") {
		t.Errorf("list: %s", out)
	}
	if out := mustRun(t, home, "plugins", "list", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("list --json: %s", out)
	}
	var installed store.Installed
	if err := json.Unmarshal([]byte(mustRun(t, home, "plugins", "install", "--json", buildFaulty(t, "1.0.0"))), &installed); err != nil || installed.Name != "faulty" {
		t.Fatalf("installed %+v, %v", installed, err)
	}
	for _, c := range []struct{ want, args string }{
		{"float32 any×any×any", "list"},
		{installed.Digest, "show faulty"},
		{`"additionalProperties": false`, "show faulty@1.0.0"},
		{`"deterministic": true`, "show --json " + installed.Digest[:16]},
		{"1 plugins are unchanged since their installation", "verify"},
		{"[]", "verify --json"},
		{"faulty@1.0.0", "remove f --generate-shell-completion"},
		{"faulty@1.0.0", "show f --generate-shell-completion"},
		{"removed faulty@1.0.0", "remove faulty"},
	} {
		if out := mustRun(t, home, append([]string{"plugins"}, strings.Fields(c.args)...)...); !strings.Contains(out, c.want) {
			t.Errorf("plugins %s: want %q in\n%s", c.args, c.want, out)
		}
	}
	refused(t, home, "plugins install takes PATH", "plugins", "install")
	refused(t, home, "no such file", "plugins", "install", filepath.Join(home, "missing"))
	refused(t, home, "plugin other is not installed", "plugins", "show", "other")
	refused(t, home, "--plugin-memory is 0", "predict", "--model", "x", "--plugin-memory", "0", "y")
}
