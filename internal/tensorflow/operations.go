package tensorflow

// #include <stdlib.h>
// #include "tensorflow/c/c_api.h"
//
// // Declared here because tensorflow/c/kernels.h includes headers that the
// // distributions leave out.
// extern TF_Buffer* TF_GetRegisteredKernelsForOp(const char* name, TF_Status* status);
import "C"

import (
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"github.com/wamuir/graft/tensorflow/core/framework/kernel_def_go_proto"
	"github.com/wamuir/graft/tensorflow/core/framework/op_def_go_proto"
	"github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	"google.golang.org/protobuf/proto"
)

// Operations returns the definitions of all registered operations by name:
// their arguments, attributes and whether they are stateful. The map is shared
// and must not be modified.
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

// HasKernel reports whether the CPU has a kernel for an operation whose type
// attribute attr is dt.
func HasKernel(op, attr string, dt DataType) (bool, error) { return hasKernel(op, "", attr, dt) }

// hasKernel does the same for kernels with a label, which a node selects by its
// attribute "_kernel".
func hasKernel(op, label, attr string, dt DataType) (bool, error) {
	all, err := kernels(op)
	return slices.ContainsFunc(all, func(k *kernel_def_go_proto.KernelDef) bool {
		if k.GetDeviceType() != "CPU" || k.GetLabel() != label {
			return false
		}
		for _, c := range k.GetConstraint() {
			if c.GetName() == attr {
				types := c.GetAllowedValues().GetList().GetType()
				return slices.ContainsFunc(types, func(t types_go_proto.DataType) bool { return DataType(t) == dt })
			}
		}
		return true
	}), err
}

// kernelLists holds the results of kernels by operation: TensorFlow searches all its
// kernels for each list, and every load of a network asks for the same ones.
var kernelLists sync.Map

// kernels lists the kernels of an operation. They are those of the library, which
// registers no more of them later. The list is shared and must not be modified.
func kernels(op string) ([]*kernel_def_go_proto.KernelDef, error) {
	if known, ok := kernelLists.Load(op); ok {
		return known.([]*kernel_def_go_proto.KernelDef), nil
	}
	name := C.CString(op)
	defer C.free(unsafe.Pointer(name))
	st := newStatus()
	defer st.delete()
	buf := C.TF_GetRegisteredKernelsForOp(name, st.c)
	if err := st.err("kernels of " + op); err != nil {
		return nil, err
	}
	defer C.TF_DeleteBuffer(buf)
	var list kernel_def_go_proto.KernelList
	if err := proto.Unmarshal(unsafe.Slice((*byte)(buf.data), int(buf.length)), &list); err != nil {
		return nil, fmt.Errorf("tensorflow: kernels of %s: %w", op, err)
	}
	kernelLists.Store(op, list.GetKernel())
	return list.GetKernel(), nil
}
