package tensorflow

// #include <stdlib.h>
// #include "tensorflow/c/c_api.h"
import "C"

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	"google.golang.org/protobuf/proto"
)

// Graph is an imported, immutable graph. It may be closed once its sessions are
// open. It is safe for concurrent use.
type Graph struct {
	mu sync.RWMutex
	c  *C.TF_Graph // nil once closed
}

// ImportGraph imports def, including its function library.
func ImportGraph(def *graph_go_proto.GraphDef) (*Graph, error) {
	b, err := proto.Marshal(def)
	if err != nil {
		return nil, fmt.Errorf("tensorflow: import graph: %w", err)
	}
	return ImportGraphBytes(b)
}

// ImportGraphBytes imports a serialised GraphDef.
func ImportGraphBytes(def []byte) (*Graph, error) {
	if len(def) > math.MaxInt32 {
		return nil, invalid("import graph", "%d bytes exceed the 2 GiB limit of protocol buffers: keep weights in variables", len(def))
	}
	st := newStatus()
	defer st.delete()
	options := C.TF_NewImportGraphDefOptions()
	defer C.TF_DeleteImportGraphDefOptions(options)
	buf := newBuffer(def)
	defer C.TF_DeleteBuffer(buf)
	g := C.TF_NewGraph()
	C.TF_GraphImportGraphDef(g, buf, options, st.c)
	if err := st.err("import graph"); err != nil {
		C.TF_DeleteGraph(g)
		return nil, err
	}
	return &Graph{c: g}, nil
}

// newBuffer copies b for the C API. The caller deletes the buffer.
func newBuffer(b []byte) *C.TF_Buffer {
	return C.TF_NewBufferFromString(unsafe.Pointer(unsafe.SliceData(b)), C.size_t(len(b)))
}

// Close frees the graph once its last session is closed. It may be called
// twice.
func (g *Graph) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.c != nil {
		C.TF_DeleteGraph(g.c)
		g.c = nil
	}
}

// Shape returns the inferred static shape of an output, named "node:0" or
// "node". An unknown dimension is -1, an unknown rank is nil, a scalar is an
// empty slice.
func (g *Graph) Shape(output string) ([]int64, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	out, err := g.output(output)
	if err != nil {
		return nil, err
	}
	return shapeOf(g.c, out)
}

// DataType returns the type of an output, named as for Shape.
func (g *Graph) DataType(output string) (DataType, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	out, err := g.output(output)
	if err != nil {
		return 0, err
	}
	return DataType(C.TF_OperationOutputType(out)), nil
}

func (g *Graph) output(name string) (C.TF_Output, error) {
	if g.c == nil {
		return C.TF_Output{}, fmt.Errorf("tensorflow: graph: %w", ErrClosed)
	}
	return findOutput(g.c, name)
}

func shapeOf(g *C.TF_Graph, out C.TF_Output) ([]int64, error) {
	st := newStatus()
	defer st.delete()
	n := C.TF_GraphGetTensorNumDims(g, out, st.c)
	if err := st.err("shape"); err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, nil
	}
	shape := make([]int64, int(n))
	C.TF_GraphGetTensorShape(g, out, dimensions(shape), n, st.c)
	return shape, st.err("shape")
}

func findOutput(g *C.TF_Graph, name string) (C.TF_Output, error) {
	node, index := name, 0
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		n, err := strconv.Atoi(name[i+1:])
		if err != nil || n < 0 {
			return C.TF_Output{}, invalid("find output", "%q is not of the form node:index", name)
		}
		node, index = name[:i], n
	}
	op, err := findOperation(g, node)
	if err != nil {
		return C.TF_Output{}, err
	}
	if n := int(C.TF_OperationNumOutputs(op)); index >= n {
		return C.TF_Output{}, &Error{OutOfRange, "find output", fmt.Sprintf("node %q has %d outputs, not %q", node, n, name)}
	}
	return C.TF_Output{oper: op, index: C.int(index)}, nil
}

func findOperation(g *C.TF_Graph, name string) (*C.TF_Operation, error) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	op := C.TF_GraphOperationByName(g, cname)
	if op == nil {
		return nil, &Error{NotFound, "find node", fmt.Sprintf("the graph has no node %q", name)}
	}
	return op, nil
}
