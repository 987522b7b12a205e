package measure

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Lines of a process's status in /proc.
const (
	Resident        = "VmRSS:"
	LargestResident = "VmHWM:"
)

// Memory returns a line of this process's status, in MB.
func Memory(line string) (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for s := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(s, line); ok {
			kB, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kB * 1024 / 1e6, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no %s", line)
}
