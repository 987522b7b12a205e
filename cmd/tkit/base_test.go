package main

import (
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/savedmodel/savedmodeltest"
)

// Of a base with several inputs or outputs, those that the flags name are used,
// and the refusals name the flags.
func TestChoosesInputAndOutput(t *testing.T) {
	t.Parallel()
	dir, models := t.TempDir(), savedmodeltest.Bases(t)
	home, data := filepath.Join(dir, "home"), filepath.Join(dir, "digits")
	mustRun(t, home, "datasets", "sample", "--digits", "0,1", data)
	for _, tt := range []struct {
		base, name string
		flags      []string
		says       []string // all of them
		fails      bool
	}{
		{"two_images", "undecided", nil, []string{`"left"`, `"right"`, "(--input)"}, true},
		{"two_images", "absent", []string{"--input", "middle"}, []string{`"middle"`, `"left"`, `"right"`}, true},
		{"two_images", "right", []string{"--input", "right"}, []string{`"right" takes the images`}, false},
		{"auxiliary", "main", []string{"--cut", "deepest:avg"}, []string{`"Logits" is used`}, false},
		{"auxiliary", "side", []string{"--output", "AuxLogits", "--cut", "shallow:avg"}, nil, false},
		{"auxiliary", "beyond", []string{"--output", "AuxLogits", "--cut", "deepest:avg"}, []string{`deepest`}, true},
		{"auxiliary", "neither", []string{"--output", "Scores"}, []string{`"Scores"`, `"AuxLogits"`}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"train", "--base", filepath.Join(models, tt.base), "--data", data, "--name", tt.name,
				"--per-class", "5", "--preprocessing", "none", "--look-alikes", "ignore"}, tt.flags...)
			_, told, err := tkit(t, home, args...)
			if err != nil {
				told += err.Error()
			}
			if (err != nil) != tt.fails || (versions(t, home, tt.name) == 0) != tt.fails {
				t.Fatalf("%v; want a failure: %t", err, tt.fails)
			}
			for _, s := range tt.says {
				if !strings.Contains(told, s) {
					t.Errorf("%q is not in %q", s, told)
				}
			}
		})
	}
}
