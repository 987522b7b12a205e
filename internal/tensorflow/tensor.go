package tensorflow

// #include <stdlib.h>
// #include "tensorflow/c/c_api.h"
import "C"

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"unsafe"
)

// Tensor is an n-dimensional array in TensorFlow's memory, row-major. Its owner
// closes it, even after passing it to Step.Run, which holds its own references
// as long as it needs them. Methods may be called concurrently, but the caller
// must not write to the elements while others read them.
type Tensor struct {
	buffer   *buffer
	dataType DataType
	shape    []int64
	closed   atomic.Bool
}

// buffer is the C tensor behind a Tensor. It is deleted with its last
// reference: the Tensor holds one, and so does each active run.
type buffer struct {
	c    *C.TF_Tensor
	refs atomic.Int64
}

// retain takes a reference. It returns false if the buffer was already deleted.
func (b *buffer) retain() bool {
	for {
		n := b.refs.Load()
		if n == 0 {
			return false
		}
		if b.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (b *buffer) release() {
	if b.refs.Add(-1) == 0 {
		C.TF_DeleteTensor(b.c)
	}
}

// adopt returns a Tensor that owns c.
func adopt(c *C.TF_Tensor) *Tensor {
	t := &Tensor{
		buffer:   &buffer{c: c},
		dataType: DataType(C.TF_TensorType(c)),
		shape:    make([]int64, int(C.TF_NumDims(c))),
	}
	for i := range t.shape {
		t.shape[i] = int64(C.TF_Dim(c, C.int(i)))
	}
	t.buffer.refs.Store(1)
	return t
}

// elements returns the number of elements of a shape. A negative dimension, or
// a size in bytes that overflows an int, is an error.
func elements(dt DataType, shape []int64) (int, error) {
	size := int64(max(dt.Size(), 1))
	n := int64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, invalid("new tensor", "shape %v has a negative dimension", shape)
		}
		if d > 0 && n > math.MaxInt64/size/d {
			return 0, invalid("new tensor", "shape %v of %s is too large", shape, dt)
		}
		n *= d
	}
	return int(n), nil
}

// dimensions returns a shape as the C API takes it.
func dimensions(shape []int64) *C.int64_t {
	return (*C.int64_t)(unsafe.Pointer(unsafe.SliceData(shape)))
}

// NewTensor makes a tensor with uninitialised elements, in memory aligned for
// TensorFlow's kernels. Without dimensions it is a scalar. For strings use
// FromStrings.
func NewTensor(dt DataType, shape ...int64) (*Tensor, error) {
	if dt.Size() == 0 {
		return nil, invalid("new tensor", "%s has no elements of a fixed size", dt)
	}
	n, err := elements(dt, shape)
	if err != nil {
		return nil, err
	}
	c := C.TF_AllocateTensor(C.TF_DataType(dt), dimensions(shape), C.int(len(shape)), C.size_t(n*dt.Size()))
	if c == nil {
		return nil, &Error{ResourceExhausted, "new tensor", fmt.Sprintf("no memory for %s %v", dt, shape)}
	}
	return adopt(c), nil
}

// FromBytes makes a tensor from a copy of raw: little-endian, row-major
// elements.
func FromBytes(dt DataType, shape []int64, raw []byte) (*Tensor, error) {
	t, err := NewTensor(dt, shape...)
	if err != nil {
		return nil, err
	}
	if b := t.Bytes(); len(b) != len(raw) {
		t.Close()
		return nil, invalid("new tensor", "%s %v has %d bytes, got %d", dt, shape, len(b), len(raw))
	}
	copy(t.Bytes(), raw)
	return t, nil
}

// FromFloat32 makes a tensor from a copy of v.
func FromFloat32(shape []int64, v []float32) (*Tensor, error) { return from(Float32, shape, v) }

// FromInt64 makes a tensor from a copy of v.
func FromInt64(shape []int64, v []int64) (*Tensor, error) { return from(Int64, shape, v) }

// FromUint8 makes a tensor from a copy of v.
func FromUint8(shape []int64, v []uint8) (*Tensor, error) { return FromBytes(Uint8, shape, v) }

func from[E float32 | int64](dt DataType, shape []int64, v []E) (*Tensor, error) {
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*dt.Size())
	return FromBytes(dt, shape, raw)
}

// FromRows makes a float32 tensor of shape [len(rows), shape...] from copies of
// rows. Each row has the elements of shape.
func FromRows(shape []int64, rows [][]float32) (*Tensor, error) {
	t, err := NewTensor(Float32, append([]int64{int64(len(rows))}, shape...)...)
	if err != nil {
		return nil, err
	}
	flat := t.Float32()
	for i, row := range rows {
		if width := len(flat) / len(rows); len(row) != width {
			t.Close()
			return nil, invalid("new tensor", "row %d has %d elements, shape %v has %d", i, len(row), shape, width)
		}
		copy(flat[i*len(row):], row)
	}
	return t, nil
}

// Close releases the tensor and invalidates its views. The memory is freed when
// the last run that uses the tensor ends. Closing twice or closing nil is
// allowed.
func (t *Tensor) Close() {
	if t != nil && t.closed.CompareAndSwap(false, true) {
		t.buffer.release()
	}
}

// DataType returns the type of the elements.
func (t *Tensor) DataType() DataType { return t.dataType }

// Shape returns a copy of the dimensions. A scalar has none.
func (t *Tensor) Shape() []int64 { return slices.Clone(t.shape) }

// Len returns the number of elements.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.shape {
		n *= int(d)
	}
	return n
}

// String describes the tensor, like "float32 [8 224 224 3]".
func (t *Tensor) String() string { return fmt.Sprintf("%s %v", t.dataType, t.shape) }

// Bytes returns a view of all elements, valid until Close. It panics on a
// closed tensor and on element types without a fixed size.
func (t *Tensor) Bytes() []byte {
	if t.dataType.Size() == 0 {
		panic(fmt.Sprintf("tensorflow: bytes of a %s tensor", t.dataType))
	}
	return view[byte](t, t.Len()*t.dataType.Size())
}

// Float32 returns a view of the elements, valid until Close. Like the other
// views, it panics on a closed tensor and on a tensor of another type.
func (t *Tensor) Float32() []float32 { return typed[float32](t, Float32) }

// Int32 is like Float32.
func (t *Tensor) Int32() []int32 { return typed[int32](t, Int32) }

// Int64 is like Float32.
func (t *Tensor) Int64() []int64 { return typed[int64](t, Int64) }

// Uint8 is like Float32.
func (t *Tensor) Uint8() []uint8 { return typed[uint8](t, Uint8) }

func typed[E any](t *Tensor, want DataType) []E {
	if t.dataType != want {
		panic(fmt.Sprintf("tensorflow: %s view of a %s tensor", want, t.dataType))
	}
	return view[E](t, t.Len())
}

func view[E any](t *Tensor, n int) []E {
	if t.closed.Load() {
		panic(fmt.Sprintf("tensorflow: use of a closed tensor (%v)", t))
	}
	return unsafe.Slice((*E)(C.TF_TensorData(t.buffer.c)), n)
}
