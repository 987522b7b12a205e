package tensorflow

import (
	"context"
	"fmt"
	"time"

	pb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
)

// Device is the kind of device on which a session computes.
type Device string

const (
	AnyDevice Device = ""    // TensorFlow's choice: its GPUs, or else the CPU
	CPU       Device = "cpu" // no GPUs, even if there are some
)

// Config sets how a session computes, and on which device. The zero value leaves
// every choice to TensorFlow: all cores, all GPUs. Two sessions may differ in
// everything but what applies to the whole process.
type Config struct {
	Device Device

	// IntraOpThreads is the number of threads that one operation may use,
	// InterOpThreads the number of operations that run in parallel. 0 means the
	// number of cores. A session with a value set has its own thread pool.
	IntraOpThreads, InterOpThreads int

	// GPUMemoryFraction is the fraction of each GPU's memory to allocate at
	// once, 0 for nearly all of it. With GPUGrowth it is allocated on demand.
	// VisibleGPUs lists the GPUs to use, like "0,2". These three apply to the
	// whole process: TensorFlow uses the values of the first session.
	GPUMemoryFraction float64
	GPUGrowth         bool
	VisibleGPUs       string

	// BFloat16Rewrite lets TensorFlow's optimizer compute in bfloat16 where it
	// considers that safe. DisableOptimizer runs the graph unchanged.
	BFloat16Rewrite  bool
	DisableOptimizer bool

	// RunInCaller runs a graph's operations one after the other on the thread
	// that called Run. It suits small graphs that run many at a time.
	RunInCaller bool
}

// proto returns the configuration as a serialised ConfigProto.
func (c Config) proto() ([]byte, error) {
	if c.IntraOpThreads < 0 || c.InterOpThreads < 0 {
		return nil, invalid("new session", "thread counts %d and %d: want 0 for the number of cores, or more", c.IntraOpThreads, c.InterOpThreads)
	}
	if c.GPUMemoryFraction < 0 || c.GPUMemoryFraction > 1 {
		return nil, invalid("new session", "GPU memory fraction %g is not within 0 and 1", c.GPUMemoryFraction)
	}
	devices := map[string]int32{}
	switch c.Device {
	case AnyDevice:
	case CPU:
		devices["GPU"] = 0
	default:
		return nil, invalid("new session", "unknown device %q: want %q, or none for TensorFlow's choice", c.Device, CPU)
	}
	graph := &pb.GraphOptions{RewriteOptions: &pb.RewriterConfig{}}
	if c.BFloat16Rewrite {
		graph.RewriteOptions.AutoMixedPrecisionOnednnBfloat16 = pb.RewriterConfig_ON
	}
	if c.DisableOptimizer {
		graph.RewriteOptions.DisableMetaOptimizer = true
		graph.OptimizerOptions = &pb.OptimizerOptions{OptLevel: pb.OptimizerOptions_L0}
	}
	b, err := proto.Marshal(&pb.ConfigProto{
		DeviceCount:               devices,
		IntraOpParallelismThreads: int32(c.IntraOpThreads),
		InterOpParallelismThreads: int32(c.InterOpThreads),
		UsePerSessionThreads:      c.InterOpThreads > 0,
		// Imported graphs may name devices that this machine lacks.
		AllowSoftPlacement: true,
		GpuOptions: &pb.GPUOptions{
			PerProcessGpuMemoryFraction: c.GPUMemoryFraction,
			AllowGrowth:                 c.GPUGrowth,
			VisibleDeviceList:           c.VisibleGPUs,
		},
		GraphOptions: graph,
	})
	if err != nil {
		return nil, fmt.Errorf("tensorflow: new session: %w", err)
	}
	return b, nil
}

// runOptions returns the serialised RunOptions for one run. It is empty when
// the defaults apply.
func (c Config) runOptions(ctx context.Context, now time.Time) ([]byte, error) {
	var options pb.RunOptions
	if c.RunInCaller {
		options.InterOpThreadPool = -1
	}
	if deadline, ok := ctx.Deadline(); ok {
		// Rounded up, because 0 would mean no deadline.
		options.TimeoutInMs = max(1, int64((deadline.Sub(now)+time.Millisecond-1)/time.Millisecond))
	}
	b, err := proto.Marshal(&options)
	if err != nil {
		return nil, fmt.Errorf("tensorflow: run: %w", err)
	}
	return b, nil
}
