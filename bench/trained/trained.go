// Package trained runs `tkit train` as a process and returns the accuracy of its
// version.
package trained

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

// Train runs a program tkit with a home and the flags of its command train, and
// returns the accuracy on the test images.
func Train(ctx context.Context, tkit, home string, flags ...string) (accuracy evaluation.Proportion, err error) {
	cmd := exec.CommandContext(ctx, tkit, append([]string{"train", "--json", "--name", "bench"}, flags...)...)
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
