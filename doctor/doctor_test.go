package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/inference"
	"tkit/internal/cuda"
	"tkit/plugins/host"
)

func TestExamine(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	r, err := Examine(Options{Version: "1.2", Home: home})
	if err != nil || r.Err() != nil {
		t.Fatal(err, r.Err(), r)
	}
	if r.Build.Version != "1.2" || len(r.Checks) < 3 || r.Checks[0].Name != "device" {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(home); err == nil {
		t.Error("the examination created the home")
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), r.Device.Name) {
		t.Errorf("%v:\n%s", err, &text)
	}
	if r, err = Examine(Options{Home: home, RequireGPU: true}); err != nil || (r.Err() == nil) != r.Device.UsesGPUs {
		t.Errorf("a GPU is required: %v, %v", err, r.Err())
	}
}

func TestDeviceChecks(t *testing.T) {
	gpu := cuda.Hardware{GPUs: []string{"NVIDIA H200"}, Driver: "550.90.07"}
	cudnn := cuda.Found{Library: cuda.Library{Name: "libcudnn.so.9"}, Problem: "missing: install cuDNN 9"}
	for name, c := range map[string]struct {
		d        inference.Device
		required bool
		want     []Check
	}{
		"CPU":               {inference.Device{Name: "CPU"}, false, []Check{{"device", OK, "CPU"}}},
		"GPU is required":   {inference.Device{Name: "CPU"}, true, []Check{{"device", Failed, "CPU; a GPU is required, and this machine has none"}}},
		"libraries, no GPU": {inference.Device{Name: "CPU", BuiltForGPUs: true, Libraries: []cuda.Found{cudnn}}, false, []Check{{"device", OK, "CPU"}, {"libcudnn.so.9", OK, "not needed without a GPU; missing: install cuDNN 9"}}},
		"no libraries": {inference.Device{Name: "CPU", BuiltForGPUs: true, Hardware: gpu, Libraries: []cuda.Found{cudnn}, Missing: []string{"x"}}, false,
			[]Check{{"device", Warning, "CPU, although there is NVIDIA H200"}, {"driver", OK, "NVIDIA driver 550.90.07"}, {"libcudnn.so.9", Failed, "missing: install cuDNN 9"}}},
		"build for CPUs": {inference.Device{Name: "CPU", Hardware: gpu, Missing: []string{"another build"}}, false,
			[]Check{{"device", Warning, "CPU, although there is NVIDIA H200"}, {"libtensorflow", Warning, "another build"}}},
	} {
		got := deviceChecks(c.d, c.required)
		if len(got) != len(c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %+v, want %+v", name, got[i], c.want[i])
			}
		}
	}
}

func TestOtherChecks(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if c := homeCheck(open); c.State != Failed {
		t.Errorf("a home that everybody may change: %+v", c)
	}
	if c := homeCheck(filepath.Join(t.TempDir(), "a", "b")); c.State != OK || !strings.Contains(c.Text, "not there yet") {
		t.Errorf("no home yet: %+v", c)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c := homeCheck(filepath.Join(file, "home")); c.State != Failed {
		t.Errorf("a home that cannot be created: %+v", c)
	}
	if c := diskCheck(filepath.Join(t.TempDir(), "a", "b")); c.State == Failed || !strings.Contains(c.Text, "free") {
		t.Errorf("the disk: %+v", c)
	}
	complete := host.Protections{Processes: true, Network: true, ReadOnly: true, Files: true, Signals: true, Calls: true, Powers: true}
	if c := sandboxCheck(complete, nil); c.State != OK {
		t.Errorf("a complete sandbox: %+v", c)
	}
	complete.Files = false
	if c := sandboxCheck(complete, nil); c.State != Warning || !strings.Contains(c.Text, "Landlock") {
		t.Errorf("a sandbox without Landlock: %+v", c)
	}
	if c := sandboxCheck(complete, errors.New("no memory")); c.State != Warning || !strings.Contains(c.Text, "no memory") {
		t.Errorf("no sandbox: %+v", c)
	}
	if r := (Report{Checks: []Check{{State: OK}, {State: Failed}}}); !errors.Is(r.Err(), ErrMissing) {
		t.Error("a failed check is no error")
	}
}
