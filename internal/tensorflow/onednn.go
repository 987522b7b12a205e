package tensorflow

import (
	"os"
	"strconv"

	"golang.org/x/sys/cpu"
)

// OneDNNLabel marks oneDNN's kernels in a node's attribute "_kernel".
const OneDNNLabel = "MklNameChangeOp"

// OneDNN lists the types for which a session configured by c may use oneDNN's
// operations. The list is empty if TensorFlow itself would not use oneDNN (it
// needs AVX512_VNNI or newer instructions, or TF_ENABLE_ONEDNN_OPTS), if
// DisableOptimizer is set, or if the session has a device other than the CPU,
// because these operations would pin a network to the CPU.
func OneDNN(c Config) ([]DataType, error) {
	if c.DisableOptimizer || !oneDNNEnabled() {
		return nil, nil
	}
	devices, err := Devices(c)
	if err != nil {
		return nil, err
	}
	for _, d := range devices {
		if d.Type != "CPU" {
			return nil, nil
		}
	}
	types := []DataType{Float32}
	if cpu.X86.HasAVX512BF16 || cpu.X86.HasAMXBF16 {
		types = append(types, BFloat16)
	}
	return types, nil
}

// oneDNNEnabled applies TensorFlow's rule to this machine's processor.
func oneDNNEnabled() bool {
	if set, ok := os.LookupEnv("TF_ENABLE_ONEDNN_OPTS"); ok {
		on, err := strconv.ParseBool(set)
		return on && err == nil
	}
	x := cpu.X86
	return x.HasAVX512VNNI || x.HasAVX512BF16 || x.HasAVXVNNI || x.HasAMXTile
}

// HasOneDNNKernel reports whether the library has oneDNN's operation op for dt.
func HasOneDNNKernel(op string, dt DataType) (bool, error) {
	return hasKernel(op, OneDNNLabel, "T", dt)
}
