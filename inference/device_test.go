package inference

import (
	"strings"
	"testing"

	"tkit/internal/cuda"
)

func TestFindDevice(t *testing.T) {
	d, err := FindDevice()
	if err != nil {
		t.Fatal(err)
	}
	if d.Name == "" || d.BuiltForGPUs != (len(d.Libraries) == len(cuda.Libraries)) || d.UsesGPUs == strings.HasPrefix(d.Name, "CPU") {
		t.Errorf("%+v", d)
	}
}

func TestWhatIsMissing(t *testing.T) {
	h200 := cuda.Hardware{GPUs: []string{"NVIDIA H200"}, Driver: "550.90.07"}
	missing := []cuda.Found{{Library: cuda.Libraries[0], Path: "/lib/libcuda.so.1"}, {Library: cuda.Libraries[7], Problem: "missing: install cuDNN 9"}}
	for name, c := range map[string]struct {
		d       Device
		gpus    int
		device  string
		missing string // all of it; "" for nothing
	}{
		"no GPU":            {Device{BuiltForGPUs: true, Libraries: missing}, 0, "CPU, ", ""},
		"built for the CPU": {Device{Hardware: h200}, 0, "CPU, ", "this libtensorflow is built for the CPU only: install tkit with one for GPUs"},
		"a library":         {Device{BuiltForGPUs: true, Hardware: h200, Libraries: missing}, 0, "CPU, ", "libcudnn.so.9: missing: install cuDNN 9"},
		"the driver": {Device{BuiltForGPUs: true, Hardware: cuda.Hardware{GPUs: h200.GPUs, Driver: "470.1"}}, 0, "CPU, ",
			"the NVIDIA driver is version 470.1: install the NVIDIA driver, version 525.60.13 or later"},
		"unknown":  {Device{BuiltForGPUs: true, Hardware: h200}, 0, "CPU, ", "TensorFlow finds no GPU that it can use: set TF_CPP_MIN_LOG_LEVEL=0 to see its reasons"},
		"complete": {Device{BuiltForGPUs: true, Hardware: h200}, 1, "1 of 1 GPUs: NVIDIA H200", ""},
	} {
		c.d.describe(c.gpus)
		if got := strings.Join(c.d.Missing, "; "); !strings.HasPrefix(c.d.Name, c.device) || got != c.missing || c.d.UsesGPUs != (c.gpus > 0) {
			t.Errorf("%s: %q is missing on %q; want %q on %q", name, got, c.d.Name, c.missing, c.device)
		}
	}
}
