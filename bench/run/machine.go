package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/cpu"

	"tkit/bench/keras"
	"tkit/internal/tensorflow"
)

// machine describes the machine without identifying it.
func machine() string {
	var vectors []string
	for _, v := range []struct {
		has  bool
		name string
	}{{cpu.X86.HasAVX2, "AVX2"}, {cpu.X86.HasAVX512F, "AVX-512"}, {cpu.X86.HasAVX512BF16, "AVX512_BF16"}, {cpu.X86.HasAMXBF16, "AMX-BF16"}} {
		if v.has {
			vectors = append(vectors, v.name)
		}
	}
	memory, _ := strconv.ParseFloat(strings.TrimSuffix(field("/proc/meminfo", "MemTotal", ":"), " kB"), 64)
	return fmt.Sprintf("%s with %s, %d cores, %.0f GB of memory, %s", field("/proc/cpuinfo", "model name", ":"), strings.Join(vectors, " "),
		runtime.NumCPU(), memory/(1<<20), strings.Trim(field("/etc/os-release", "PRETTY_NAME", "="), `"`))
}

// field returns the value after the first line's key in a file such as
// /proc/cpuinfo.
func field(path, key, separator string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, separator); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

// versions returns the versions of the software used by tkit and by what it is
// compared with.
func versions(ctx context.Context) (string, error) {
	python, err := keras.Python()
	if err != nil {
		return "", err
	}
	const script = `import platform
from importlib.metadata import version
print(", ".join(["Python " + platform.python_version()] + [name + " " + version(name) for name in ("tensorflow-cpu", "keras", "scikit-learn", "numpy")]))`
	out, err := exec.CommandContext(ctx, python, "-c", script).Output()
	if err != nil {
		return "", fmt.Errorf("versions of Python's packages: %w", err)
	}
	return fmt.Sprintf("%s, libtensorflow %s; %s", runtime.Version(), tensorflow.Version(), strings.TrimSpace(string(out))), nil
}

// code returns the commit that is checked out.
func code(ctx context.Context, root string) string {
	cmd := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// busy measures for a while the share of the processors that is in use.
func busy(ctx context.Context, while time.Duration) (float64, error) {
	idle, total, err := ticks()
	if err != nil {
		return 0, err
	}
	select {
	case <-time.After(while):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	idleAfter, totalAfter, err := ticks()
	return 1 - (idleAfter-idle)/max(1, totalAfter-total), err
}

// ticks reads the first line of /proc/stat: cpu user nice system idle iowait …
func ticks() (idle, total float64, err error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, f := range strings.Fields(line)[1:] {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("/proc/stat: %w", err)
		}
		if i == 3 || i == 4 {
			idle += v
		}
		total += v
	}
	return idle, total, nil
}
