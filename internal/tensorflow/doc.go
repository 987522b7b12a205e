// Package tensorflow runs TensorFlow graphs through the C API of libtensorflow
// with explicit lifetimes: the owner of a [Tensor], [Graph] or [Session] closes
// it, and nothing depends on the garbage collector. Data is exchanged as flat
// buffers in TensorFlow's memory. Every run obeys its context.
//
// The order of use is graph, session, step, run:
//
//	graph, err := tensorflow.ImportGraph(def)
//	session, err := tensorflow.NewSession(graph, tensorflow.Config{})
//	step, err := session.Step([]string{"images:0"}, []string{"logits:0"}, nil)
//	outputs, err := step.Run(ctx, images) // any number at a time
package tensorflow

// #cgo LDFLAGS: -ltensorflow
// #include <stdlib.h>
// #include "tensorflow/c/c_api.h"
import "C"

import "os"

// By default all sessions of a process share one thread pool for the work
// inside operations, sized by the first session, and later values of
// Config.IntraOpThreads are silently ignored. With this variable, which
// TensorFlow reads when the first session opens, each session has its own pool.
// A value set by the user wins.
const ownThreadPools = "TF_OVERRIDE_GLOBAL_THREADPOOL"

func init() {
	if _, set := os.LookupEnv(ownThreadPools); !set {
		os.Setenv(ownThreadPools, "1")
	}
}

// Version returns the version of libtensorflow, like "2.18.0".
func Version() string { return C.GoString(C.TF_Version()) }
