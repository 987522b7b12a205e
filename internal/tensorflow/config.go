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
// every choice to TensorFlow: all cores, and the GPUs of the process (UseGPUs).
type Config struct {
	Device Device

	// IntraOpThreads is the number of threads that one operation may use,
	// InterOpThreads the number of operations that run in parallel. 0 means the
	// number of cores. A session with a value set has its own thread pool.
	IntraOpThreads, InterOpThreads int

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
	if c.Device != AnyDevice && c.Device != CPU {
		return nil, invalid("new session", "unknown device %q: want %q, or none for TensorFlow's choice", c.Device, CPU)
	}
	options, devices := c.Device.options()
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
		GpuOptions:         options,
		GraphOptions:       graph,
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
