// Package tensorflow runs TensorFlow graphs through the C API of libtensorflow
// with explicit lifetimes: whoever makes a [Tensor], [Graph] or [Session] closes
// it, and nothing waits for the garbage collector. Data crosses as flat buffers
// that live in TensorFlow's own memory, and every run obeys its context.
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

// TensorFlow gives all sessions of a process one pool of threads for the work
// inside operations, as large as the first session asked for, so that every
// later Config.IntraOpThreads would be ignored without a word. With this
// variable, which TensorFlow reads when the first session opens, each session
// has a pool of its own. A user's own setting wins.
const ownThreadPools = "TF_OVERRIDE_GLOBAL_THREADPOOL"

func init() {
	if _, set := os.LookupEnv(ownThreadPools); !set {
		os.Setenv(ownThreadPools, "1")
	}
}

// Version is the version of the libtensorflow in use, like "2.18.0".
func Version() string { return C.GoString(C.TF_Version()) }
