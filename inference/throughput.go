package inference

import (
	"runtime"

	"tkit/internal/tensorflow"
)

// Throughput is how to open a trunk for streams on this machine's cores, and the
// Stream.Parallel that goes with it: as many batches as cores, each on a
// thread of its own, as threads that share one batch wait for each other at
// every operation. From the ninth core on batches get more threads instead, to
// bound memory.
func Throughput() (c tensorflow.Config, parallel int) {
	threads, parallel := spread(runtime.GOMAXPROCS(0))
	return tensorflow.Config{IntraOpThreads: threads, RunInCaller: true}, parallel
}

func spread(cores int) (threads, parallel int) {
	parallel = min(cores, 8)
	return cores / parallel, parallel
}
