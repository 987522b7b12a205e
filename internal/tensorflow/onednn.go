package tensorflow

import (
	"os"
	"strconv"

	"golang.org/x/sys/cpu"
)

// OneDNNLabel marks the kernels that are oneDNN's, in a node's attribute
// "_kernel".
const OneDNNLabel = "MklNameChangeOp"

// OneDNN lists the types that a session under c may compute in by oneDNN's own
// operations. There are none where TensorFlow itself would not use oneDNN (it
// asks for AVX512_VNNI or newer instructions, or TF_ENABLE_ONEDNN_OPTS), none
// under DisableOptimizer, and none where the session has a device other than the
// CPU, which these operations would keep a network from.
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

// oneDNNEnabled is TensorFlow's own rule for the processors that it runs on here.
func oneDNNEnabled() bool {
	if set, ok := os.LookupEnv("TF_ENABLE_ONEDNN_OPTS"); ok {
		on, err := strconv.ParseBool(set)
		return on && err == nil
	}
	x := cpu.X86
	return x.HasAVX512VNNI || x.HasAVX512BF16 || x.HasAVXVNNI || x.HasAMXTile
}

// HasOneDNNKernel tells whether the library has oneDNN's own operation op for dt.
func HasOneDNNKernel(op string, dt DataType) (bool, error) {
	return hasKernel(op, OneDNNLabel, "T", dt)
}
