package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/inference/predict"
	"tkit/internal/commandline"
	"tkit/internal/needs"
	"tkit/registry"
)

// tkit runs the command line with a home, as main does.
func tkit(t *testing.T, home string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	a := app()
	var out, status bytes.Buffer
	a.Writer, a.ErrWriter = &out, &status
	err = commandline.Run(context.Background(), a, append([]string{"tkit", "--home", home}, args...))
	return out.String(), status.String(), err
}

func mustRun(t *testing.T, home string, args ...string) string {
	t.Helper()
	out, status, err := tkit(t, home, args...)
	if err != nil {
		t.Fatalf("tkit %s: %v\n%s%s", strings.Join(args, " "), err, out, status)
	}
	return out
}

// versions counts what is registered of a model.
func versions(t *testing.T, home, model string) int {
	t.Helper()
	r, err := registry.Open(context.Background(), home)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	list, err := r.Versions(context.Background(), model)
	if err != nil {
		return 0
	}
	return len(list)
}

// TestMainJob trains a base, puts a head on it, and asks it.
func TestMainJob(t *testing.T) {
	t.Parallel()
	needs.Minutes(t)
	dir := t.TempDir()
	home, low, high := filepath.Join(dir, "home"), filepath.Join(dir, "low"), filepath.Join(dir, "high")
	mustRun(t, home, "datasets", "sample", "--digits", "0,1,7", low)
	mustRun(t, home, "datasets", "sample", "--digits", "4-6", high)
	mustRun(t, home, "train", "--architecture", "lenet5", "--data", low, "--name", "base", "--epochs", "3", "--shift", "2")

	events := mustRun(t, home, "train", "--base", "base@1", "--data", high, "--name", "digits", "--per-class", "10",
		"--copies", "2", "--shift", "2", "--promote", "--json")
	var last struct {
		Event string
		Data  registry.Version
	}
	lines := strings.Split(strings.TrimSpace(events), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Fatalf("no JSON: %s", line)
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	m := last.Data.Manifest
	if last.Event != "registered" || m.Ref().String() != "digits@1" || m.Lineage.Base.Version != "base@1" {
		t.Fatalf("last event %s: %s", last.Event, lines[len(lines)-1])
	}
	if m.Metrics.Accuracy.Value < 0.85 {
		t.Errorf("accuracy %v", m.Metrics.Accuracy)
	}

	for flag, inForce := range map[string]bool{"cut": true, "shift": true, "epochs": false, "weight-decay": false} {
		if _, found := m.Lineage.Parameters[flag]; found != inForce {
			t.Errorf("--%s is in the lineage: %t", flag, found)
		}
	}
	told := mustRun(t, home, "registry", "show", "--attachment", "training.jsonl", "digits@1")
	for _, want := range []string{`"event":"cuts"`, `"event":"head"`, `"penalty":`, `"phase":"bottlenecks"`} {
		if !strings.Contains(told, want) {
			t.Errorf("no %s in what the training told:\n%s", want, told)
		}
	}
	if _, _, err := tkit(t, home, "registry", "show", "--attachment", "x", "digits@1"); err == nil || !strings.Contains(err.Error(), "it has data.json, sample.tar") {
		t.Errorf("an attachment that is not there: %v", err)
	}

	images, err := filepath.Glob(filepath.Join(high, "6", "*.png"))
	if err != nil || len(images) < 20 {
		t.Fatalf("%d images, %v", len(images), err)
	}
	right := 0
	for line := range strings.Lines(mustRun(t, home, append([]string{"predict", "--model", "digits", "--json"}, images[:20]...)...)) {
		var v predict.Result
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if v.Labels[0].Label == "6" {
			right++
		}
	}
	if right < 16 {
		t.Errorf("%d of 20 sixes are taken for sixes", right)
	}
	mustRun(t, home, "registry", "export", "digits", filepath.Join(dir, "exported"))
	if found := mustRun(t, home, "registry", "verify"); strings.Contains(found, "digits@1") {
		t.Errorf("verify: %s", found)
	}
	// An export is a base like any other, and says how images become its input.
	mustRun(t, home, "train", "--base", filepath.Join(dir, "exported"), "--data", low, "--name", "again", "--per-class", "5")
}

func TestFailingRunsRegisterNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	home, data := filepath.Join(dir, "home"), filepath.Join(dir, "data")
	mustRun(t, home, "datasets", "sample", "--digits", "1,2", data)
	empty, one, garbage := filepath.Join(dir, "empty"), filepath.Join(dir, "one"), filepath.Join(dir, "garbage")
	mustRun(t, home, "datasets", "sample", "--digits", "3", one)
	for _, folder := range []string{empty, garbage} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(garbage, "saved_model.pb"), []byte("not a model"), 0o600); err != nil {
		t.Fatal(err)
	}
	scratch := []string{"--architecture", "lenet5", "--epochs", "1"}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no folder":            {append(scratch, "--data", filepath.Join(dir, "missing")), "missing"},
		"empty folder":         {append(scratch, "--data", empty), empty},
		"one class":            {append(scratch, "--data", one), one},
		"no architecture":      {[]string{"--architecture", "lenet6", "--data", data}, "lenet5"},
		"no base":              {[]string{"--base", "nothing", "--data", data}, "--base"},
		"no SavedModel":        {[]string{"--base", empty, "--data", data}, "--base"},
		"garbage":              {[]string{"--base", garbage, "--data", data}, "saved_model.pb"},
		"both":                 {append(scratch, "--base", garbage, "--data", data), "--base"},
		"neither":              {[]string{"--data", data}, "--architecture"},
		"flag of the other":    {append(scratch, "--cut", "auto", "--data", data), "--cut"},
		"unknown mode":         {append(scratch, "--preprocessing", "keras", "--data", data), "--preprocessing"},
		"diverging":            {append(scratch, "--learning-rate", "1000", "--data", data), "learning rate"},
		"copies without a way": {[]string{"--base", garbage, "--copies", "3", "--data", data}, "--shift"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := tkit(t, home, append([]string{"train", "--name", "failing"}, c.args...)...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v does not name %s", err, c.want)
			}
			if n := versions(t, home, "failing"); n != 0 {
				t.Errorf("%d versions were registered", n)
			}
		})
	}
	left, err := filepath.Glob(filepath.Join(home, ".train-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
