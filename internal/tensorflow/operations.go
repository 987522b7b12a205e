package tensorflow

// #include "tensorflow/c/c_api.h"
import "C"

import (
	"fmt"
	"sync"
	"unsafe"

	"github.com/wamuir/graft/tensorflow/core/framework/op_def_go_proto"
	"google.golang.org/protobuf/proto"
)

// Operations returns the definitions of all operations that the library knows,
// by name: their arguments, attributes and whether they keep state. The map is
// shared and not to be changed.
var Operations = sync.OnceValues(func() (map[string]*op_def_go_proto.OpDef, error) {
	buf := C.TF_GetAllOpList()
	defer C.TF_DeleteBuffer(buf)
	var list op_def_go_proto.OpList
	if err := proto.Unmarshal(unsafe.Slice((*byte)(buf.data), int(buf.length)), &list); err != nil {
		return nil, fmt.Errorf("tensorflow: list of operations: %w", err)
	}
	defs := make(map[string]*op_def_go_proto.OpDef, len(list.GetOp()))
	for _, def := range list.GetOp() {
		defs[def.GetName()] = def
	}
	return defs, nil
})
