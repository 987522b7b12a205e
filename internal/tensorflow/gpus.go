package tensorflow

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"

	pb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
)

// GPUs says which GPUs a process uses, and how much of their memory. It belongs
// to the process and not to a session: TensorFlow numbers the GPUs and manages
// their memory once for all sessions, and ignores what a later session asks
// for. Whether a session uses them at all is a matter of Config.Device.
type GPUs struct {
	// Visible lists the GPUs by the driver's numbers, such as "0,2". "" is all
	// of them, NoGPUs none.
	Visible string
	// MemoryFraction is the part of each GPU's memory that the process may
	// use, above 0 to 1. 0 is nearly all.
	MemoryFraction float64
	// Growth allocates memory when it is needed, and not at once.
	Growth bool
}

// NoGPUs as GPUs.Visible makes all sessions compute on the CPU.
const NoGPUs = "none"

// ErrGPUs is wrapped by the errors of UseGPUs.
var ErrGPUs = errors.New("GPUs")

var visible = regexp.MustCompile(`^([0-9]+(,[0-9]+)*|none|)$`)

// gpus are the process's GPUs; used is whether a session has them already.
var gpus struct {
	sync.Mutex
	GPUs
	used bool
}

// UseGPUs sets the process's GPUs. It must be called before the first session
// that may use GPUs, and fails if such a session was opened with others.
func UseGPUs(g GPUs) error {
	if !visible.MatchString(g.Visible) {
		return fmt.Errorf("%w: %q is no list of them: want numbers such as 0,2, or %s", ErrGPUs, g.Visible, NoGPUs)
	}
	if !(g.MemoryFraction >= 0 && g.MemoryFraction <= 1) {
		return fmt.Errorf("%w: the part of their memory is %g: want 0 to 1", ErrGPUs, g.MemoryFraction)
	}
	gpus.Lock()
	defer gpus.Unlock()
	if gpus.used && g != gpus.GPUs {
		return fmt.Errorf("%w: the process already uses %+v and cannot change to %+v", ErrGPUs, gpus.GPUs, g)
	}
	gpus.GPUs = g
	return nil
}

// options returns the GPUs as a session on a device sets them; devices limits
// the number of devices of a type.
func (d Device) options() (options *pb.GPUOptions, devices map[string]int32) {
	gpus.Lock()
	defer gpus.Unlock()
	if d == CPU || gpus.Visible == NoGPUs {
		return nil, map[string]int32{"GPU": 0}
	}
	gpus.used = true
	return &pb.GPUOptions{
		PerProcessGpuMemoryFraction: gpus.MemoryFraction, AllowGrowth: gpus.Growth, VisibleDeviceList: gpus.Visible,
	}, nil
}

// BuiltForGPUs reports whether the libtensorflow that is loaded can compute on
// GPUs, given a GPU and its libraries.
func BuiltForGPUs() (bool, error) {
	kernels, err := kernels("MatMul")
	for _, k := range kernels {
		if k.GetDeviceType() == "GPU" {
			return true, err
		}
	}
	return false, err
}

// LibraryFile returns the file of libtensorflow that opens the libraries for
// GPUs, "" if the process's memory map cannot be read.
func LibraryFile() string {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return ""
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		if at := strings.Index(lines.Text(), "/"); at >= 0 && strings.Contains(lines.Text()[at:], "/libtensorflow_framework.so") {
			return lines.Text()[at:]
		}
	}
	return ""
}

// WithoutGPUs reports whether UseGPUs set that the process uses none.
func WithoutGPUs() bool {
	gpus.Lock()
	defer gpus.Unlock()
	return gpus.Visible == NoGPUs
}
