package inference

import (
	"fmt"
	"math"
	"unsafe"

	"tkit/internal/tensorflow"
)

// DataType is the type of a tensor's elements, such as [tensorflow.Float32].
type DataType = tensorflow.DataType

// A Tensor is a named array, as in requests and responses.
type Tensor struct {
	Name  string
	Type  DataType
	Shape []int64 // every dimension is 0 or more; a scalar has none
	// Data are the elements, little-endian and row-major; nil for strings. They
	// may share memory with a request or with other tensors, and must not be
	// changed.
	Data []byte
	// Strings are the elements of a tensor of strings, row-major.
	Strings [][]byte
}

// Float32Tensor returns a tensor that shares the memory of values.
func Float32Tensor(name string, shape []int64, values []float32) Tensor {
	return Tensor{Name: name, Type: tensorflow.Float32, Shape: shape, Data: bytesOf(values)}
}

// Float32 returns the elements of a float32 tensor. They share memory with Data
// where its alignment allows that.
func (t Tensor) Float32() []float32 {
	p := unsafe.Pointer(unsafe.SliceData(t.Data))
	if uintptr(p)%unsafe.Alignof(float32(0)) == 0 {
		return unsafe.Slice((*float32)(p), len(t.Data)/4)
	}
	values := make([]float32, len(t.Data)/4)
	copy(bytesOf(values), t.Data)
	return values
}

// bytesOf returns the memory of values, which is little-endian on every machine
// that libtensorflow is built for.
func bytesOf(values []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values))
}

// Elements returns the number of elements of a tensor with the given shape.
func Elements(shape []int64) (int64, error) {
	n := int64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("the shape %v has a negative dimension", shape)
		}
		if d > 0 && n > math.MaxInt64/d {
			return 0, fmt.Errorf("the shape %v is too large", shape)
		}
		n *= d
	}
	return n, nil
}

// Check returns an error if the number of elements does not match the shape.
func (t Tensor) Check() error {
	n, err := Elements(t.Shape)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if t.Type == tensorflow.String {
		if int64(len(t.Strings)) != n || t.Data != nil {
			return fmt.Errorf("tensor %q has %d strings; its shape %v has %d", t.Name, len(t.Strings), t.Shape, n)
		}
		return nil
	}
	size := int64(t.Type.Size())
	if size == 0 {
		return fmt.Errorf("tensor %q is %s, which requests cannot contain", t.Name, t.Type)
	}
	if n > math.MaxInt64/size || int64(len(t.Data)) != n*size || t.Strings != nil {
		return fmt.Errorf("tensor %q has %d bytes; %s of shape %v has %d elements of %d bytes", t.Name, len(t.Data), t.Type, t.Shape, n, size)
	}
	return nil
}
