package cuda

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Hardware are the GPUs of a machine and their driver.
type Hardware struct {
	GPUs   []string `json:"gpus"`             // their names, as far as the driver tells
	Driver string   `json:"driver,omitempty"` // its version, "" if it is not loaded
}

// FindHardware looks for NVIDIA's GPUs below root, "" for this machine.
func FindHardware(root string) Hardware {
	h := Hardware{GPUs: []string{}}
	if text, err := os.ReadFile(filepath.Join(root, "/proc/driver/nvidia/version")); err == nil {
		h.Driver = driverVersion.FindString(string(text))
	}
	described, _ := filepath.Glob(filepath.Join(root, "/proc/driver/nvidia/gpus/*/information"))
	for _, file := range described {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if name := model.FindSubmatch(text); name != nil {
			h.GPUs = append(h.GPUs, string(name[1]))
		}
	}
	if len(h.GPUs) > 0 {
		return h
	}
	// Without a driver there are only the numbers of the makers.
	devices, _ := filepath.Glob(filepath.Join(root, "/sys/bus/pci/devices/*/vendor"))
	for _, file := range devices {
		vendor, err := os.ReadFile(file)
		class, errClass := os.ReadFile(filepath.Join(filepath.Dir(file), "class"))
		if err == nil && errClass == nil && strings.TrimSpace(string(vendor)) == "0x10de" && strings.HasPrefix(string(class), "0x03") {
			h.GPUs = append(h.GPUs, "an NVIDIA GPU")
		}
	}
	return h
}

var (
	driverVersion = regexp.MustCompile(`[0-9]{3,}\.[0-9]+(\.[0-9]+)?`)
	model         = regexp.MustCompile(`(?m)^Model:[ \t]*(.+?)[ \t]*$`)
)

// DriverProblem says what is wrong with the driver for CUDA 12, or "".
func (h Hardware) DriverProblem() string {
	switch {
	case h.Driver == "":
		return "the kernel has no NVIDIA driver loaded: install " + driver
	case compareVersions(h.Driver, LeastDriver) < 0:
		return "the NVIDIA driver is version " + h.Driver + ": install " + driver
	}
	return ""
}

// compareVersions compares versions of numbers and dots.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		if c := cmp.Compare(atoi(as[i]), atoi(bs[i])); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(as), len(bs))
}

// atoi returns the number that digits stand for.
func atoi(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}
