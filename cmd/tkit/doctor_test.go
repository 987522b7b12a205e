package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/doctor"
)

func TestDoctor(t *testing.T) {
	t.Parallel()
	home := filepath.Join(t.TempDir(), "home")
	out, said, err := tkit(t, home, "doctor")
	if err != nil || said != "" {
		t.Errorf("%v, %s", err, said)
	}
	for _, want := range []string{"2.18.0", "device", "home", "disk", "sandbox"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if _, err := os.Stat(home); err == nil {
		t.Error("tkit doctor creates a home")
	}
	var r doctor.Report
	out, _, err = tkit(t, home, "doctor", "--json")
	if e := json.Unmarshal([]byte(out), &r); e != nil || err != nil || len(r.Checks) < 3 || r.Build.Version != version {
		t.Errorf("%v, %v\n%s", err, e, out)
	}
	out, _, err = tkit(t, home, "doctor", "--json", "--require-gpu")
	if e := json.Unmarshal([]byte(out), &r); e != nil || (err == nil) != r.Device.UsesGPUs || (r.Err() == nil) != r.Device.UsesGPUs {
		t.Errorf("a GPU is required: %v, %v\n%s", err, e, out)
	}
	if _, _, err = tkit(t, home, "doctor", "--gpus", "some"); err == nil || !strings.Contains(err.Error(), "--gpus") {
		t.Errorf("GPUs without numbers: %v", err)
	}
	if err := os.Mkdir(home, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(home, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, _, err = tkit(t, home, "doctor"); err == nil || !strings.Contains(err.Error(), home) {
		t.Errorf("a home that everybody may change: %v", err)
	}
}
