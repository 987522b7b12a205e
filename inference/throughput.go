package inference

import (
	"runtime"

	"tkit/internal/tensorflow"
)

// Throughput returns the options of a trunk for streams on this machine's cores,
// and the matching Stream.Parallel. There are as many batches as cores, each on
// its own thread, because threads that share a batch wait for each other at
// every operation. With more than eight cores, batches get more threads instead,
// to limit memory.
func Throughput() (c tensorflow.Config, parallel int) {
	threads, parallel := spread(runtime.GOMAXPROCS(0))
	return tensorflow.Config{IntraOpThreads: threads, RunInCaller: true}, parallel
}

func spread(cores int) (threads, parallel int) {
	parallel = min(cores, 8)
	return cores / parallel, parallel
}
