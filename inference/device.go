package inference

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"tkit/internal/cuda"
	"tkit/internal/tensorflow"
)

// GPUs says which GPUs the process uses, and how much of their memory.
type GPUs = tensorflow.GPUs

// ErrGPUs is wrapped by the errors of UseGPUs.
var ErrGPUs = tensorflow.ErrGPUs

// UseGPUs sets the process's GPUs. It must be called before anything computes;
// see [tensorflow.UseGPUs].
func UseGPUs(g GPUs) error { return tensorflow.UseGPUs(g) }

// A Device is what the process computes on.
type Device struct {
	// Name describes it, such as "CPU, 8 cores" or "1 GPU: NVIDIA H200".
	Name string `json:"device"`
	// Missing lists what keeps the machine's GPUs from being used, each with
	// the remedy. It is empty if nothing does, or if the machine has none.
	Missing []string `json:"missing,omitempty"`

	BuiltForGPUs bool          `json:"built_for_gpus"` // libtensorflow can use GPUs
	UsesGPUs     bool          `json:"uses_gpus"`
	Hardware     cuda.Hardware `json:"hardware"`
	// Libraries are those of CUDA and cuDNN, and Searched where they were
	// searched, if libtensorflow can use GPUs.
	Libraries []cuda.Found `json:"libraries,omitempty"`
	Searched  []string     `json:"searched,omitempty"`
}

// FindDevice says what the process computes on. It opens a session, which
// reserves the memory of the GPUs that UseGPUs set.
func FindDevice() (d Device, err error) {
	d.Hardware = cuda.FindHardware("")
	if d.BuiltForGPUs, err = tensorflow.BuiltForGPUs(); err != nil {
		return d, err
	}
	if d.BuiltForGPUs {
		search := cuda.NewSearch("", tensorflow.LibraryFile(), os.Getenv("LD_LIBRARY_PATH"))
		d.Libraries, d.Searched = search.Libraries(), search.Where()
	}
	devices, err := tensorflow.Devices(tensorflow.Config{})
	if err != nil {
		return d, err
	}
	gpus := 0
	for _, one := range devices {
		if one.Type == "GPU" {
			gpus++
		}
	}
	d.describe(gpus)
	return d, nil
}

// describe sets the name and what is missing, given the number of GPUs that
// TensorFlow uses.
func (d *Device) describe(gpus int) {
	d.UsesGPUs = gpus > 0
	if d.UsesGPUs {
		d.Name = fmt.Sprintf("%d of %d GPUs: %s", gpus, max(gpus, len(d.Hardware.GPUs)), strings.Join(d.Hardware.GPUs, ", "))
		return
	}
	d.Name = fmt.Sprintf("CPU, %d cores", runtime.GOMAXPROCS(0))
	if len(d.Hardware.GPUs) == 0 || tensorflow.WithoutGPUs() {
		return
	}
	if !d.BuiltForGPUs {
		d.Missing = []string{"this libtensorflow is built for the CPU only: install tkit with one for GPUs"}
		return
	}
	if problem := d.Hardware.DriverProblem(); problem != "" {
		d.Missing = append(d.Missing, problem)
	}
	for _, l := range d.Libraries {
		if l.Problem != "" {
			d.Missing = append(d.Missing, l.Name+": "+l.Problem)
		}
	}
	if len(d.Missing) == 0 {
		d.Missing = []string{"TensorFlow finds no GPU that it can use: set TF_CPP_MIN_LOG_LEVEL=0 to see its reasons"}
	}
}
