package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"tkit/internal/evaluation"
	"tkit/registry"
)

// train runs `tkit train` with a new home and returns the test's accuracy.
func train(ctx context.Context, o options, base, folder, work string, s split) (accuracy evaluation.Proportion, err error) {
	home, err := os.MkdirTemp(work, "home-")
	if err != nil {
		return accuracy, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	cmd := exec.CommandContext(ctx, o.tkit, "train", "--json", "--name", "bench",
		"--base", base, "--preprocessing", "caffe", "--cut", o.cut, "--data", folder,
		"--validation", fmt.Sprint(s.fractions.Validation), "--test", fmt.Sprint(s.fractions.Test), "--seed", fmt.Sprint(s.fractions.Seed))
	cmd.Env = append(os.Environ(), "TKIT_HOME="+home)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return accuracy, fmt.Errorf("tkit train: %w", err)
	}
	return registered(out)
}

// registered finds the new version among the events of tkit train.
func registered(events []byte) (accuracy evaluation.Proportion, err error) {
	for d := json.NewDecoder(bytes.NewReader(events)); ; {
		var e struct {
			Event string          `json:"event"`
			Data  json.RawMessage `json:"data"`
		}
		if err := d.Decode(&e); err != nil {
			return accuracy, fmt.Errorf("tkit train reported no version: %w", err)
		}
		if e.Event != "registered" {
			continue
		}
		var v registry.Version
		if err := json.Unmarshal(e.Data, &v); err != nil {
			return accuracy, fmt.Errorf("tkit train: %w", err)
		}
		if v.Manifest == nil || v.Manifest.Metrics == nil {
			return accuracy, errors.New("tkit train's version has no evaluation")
		}
		return v.Manifest.Metrics.Accuracy, nil
	}
}
