package tensorflow

// #include <stdlib.h>
// #include "tensorflow/c/c_api.h"
import "C"

import (
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
)

// The first run of a process logs once, through a copy of Abseil's log that no
// function controls, that an optimisation is off. silenceFirstRun makes that
// first run a no-op while standard error is redirected to /dev/null. It runs on
// the CPU only, so that it decides nothing about GPUs.
var silenceFirstRun = sync.OnceFunc(func() {
	if os.Getenv(logLevel) < "1" {
		return // the user asked for all messages
	}
	kept, err := unix.FcntlInt(uintptr(unix.Stderr), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return
	}
	defer unix.Close(kept)
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer nowhere.Close()
	if err := unix.Dup3(int(nowhere.Fd()), unix.Stderr, 0); err != nil {
		return
	}
	defer unix.Dup3(kept, unix.Stderr, 0)
	runNoOp()
})

// runNoOp runs a graph of one node. It ignores errors: they recur where they
// can be reported.
func runNoOp() {
	g, err := ImportGraph(&graphpb.GraphDef{Node: []*nodepb.NodeDef{{Name: "nothing", Op: "NoOp"}}})
	if err != nil {
		return
	}
	defer g.Close()
	config, err := Config{Device: CPU, IntraOpThreads: 1, InterOpThreads: 1}.proto()
	if err != nil {
		return
	}
	st := newStatus()
	defer st.delete()
	options := C.TF_NewSessionOptions()
	defer C.TF_DeleteSessionOptions(options)
	C.TF_SetConfig(options, unsafe.Pointer(&config[0]), C.size_t(len(config)), st.c)
	session := C.TF_NewSession(g.c, options, st.c)
	if st.err("first run") != nil {
		return
	}
	name := C.CString("nothing")
	defer C.free(unsafe.Pointer(name))
	target := C.TF_GraphOperationByName(g.c, name)
	C.TF_SessionRun(session, nil, nil, nil, 0, nil, nil, 0, &target, 1, nil, st.c)
	C.TF_DeleteSession(session, st.c)
}
