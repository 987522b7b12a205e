// Package weightfile reads the weights of a network from the files that other
// frameworks write: PyTorch's state dictionaries, in both formats of torch.save,
// and safetensors. It executes nothing that a file says.
package weightfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"tkit/internal/tensorflow"
)

// ErrFormat is wrapped by the refusal of a file that is of no known format.
var ErrFormat = errors.New("neither a PyTorch state dictionary nor safetensors")

// most bounds the tensors of a file.
const most = 1 << 16

// A File is an open file of weights. Close ends it.
type File struct {
	// Format is "pytorch" or "safetensors".
	Format string
	// Tensors are the file's, by name.
	Tensors map[string]*Tensor
	file    *os.File
}

// A Tensor is one array of a file. Nothing of it is in memory until it is read.
type Tensor struct {
	Type  tensorflow.DataType
	Shape []int64

	data io.ReaderAt // of the storage, which several tensors may share
	// The elements of the storage that are the tensor's: the first, and how many
	// lie between two neighbours of each dimension.
	first   int64
	strides []int64
}

// Open opens a file and reads its directory. The error wraps [ErrFormat] where it
// is something else.
func Open(ctx context.Context, path string) (_ *File, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a file")
	}
	opened, err := Read(ctx, f, info.Size())
	if err != nil {
		return nil, err
	}
	opened.file = f
	return opened, nil
}

// Read reads the directory of a file of size bytes, which stays the caller's.
func Read(ctx context.Context, r io.ReaderAt, size int64) (*File, error) {
	var head [16]byte
	if _, err := r.ReadAt(head[:], 0); err != nil && err != io.EOF {
		return nil, err
	}
	var read func(context.Context, io.ReaderAt, int64) (map[string]*Tensor, error)
	format := "pytorch"
	switch {
	case string(head[:4]) == "PK\x03\x04":
		read = readZip
	case isLegacy(head[:]):
		read = readLegacy
	case head[8] == '{':
		format, read = "safetensors", readSafetensors
	default:
		return nil, ErrFormat
	}
	tensors, err := read(ctx, r, size)
	if err != nil {
		return nil, err
	}
	if len(tensors) == 0 {
		return nil, errors.New("it holds no weights")
	}
	return &File{Format: format, Tensors: tensors}, nil
}

// Close closes the file. Its tensors cannot be read any more.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// Elements is the number of a tensor's elements.
func (t *Tensor) Elements() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Bytes reads the elements, row-major and little-endian.
func (t *Tensor) Bytes() ([]byte, error) {
	size := int64(t.Type.Size())
	out := make([]byte, t.Elements()*size)
	if len(out) == 0 {
		return out, nil
	}
	if t.contiguous() {
		return out, readFull(t.data, out, t.first*size)
	}
	whole := make([]byte, (t.reach()+1)*size)
	if err := readFull(t.data, whole, t.first*size); err != nil {
		return nil, err
	}
	index := make([]int64, len(t.Shape))
	for to := int64(0); to < int64(len(out)); to += size {
		var from int64
		for i, n := range index {
			from += n * t.strides[i]
		}
		copy(out[to:to+size], whole[from*size:])
		for i := len(index) - 1; i >= 0; i-- {
			if index[i]++; index[i] < t.Shape[i] {
				break
			}
			index[i] = 0
		}
	}
	return out, nil
}

// contiguous says whether the elements lie one behind the other.
func (t *Tensor) contiguous() bool {
	next := int64(1)
	for i := len(t.Shape) - 1; i >= 0; i-- {
		if t.Shape[i] != 1 && t.strides[i] != next {
			return false
		}
		next *= t.Shape[i]
	}
	return true
}

// reach is how far the last element lies behind the first.
func (t *Tensor) reach() int64 {
	var last int64
	for i, d := range t.Shape {
		last += (d - 1) * t.strides[i]
	}
	return last
}

// check refuses a tensor that reaches beyond its storage of so many elements, or
// that holds more elements than the storage: nothing then is larger in memory
// than in its file.
func (t *Tensor) check(storage int64) error {
	if len(t.Shape) != len(t.strides) || t.first < 0 {
		return fmt.Errorf("%d dimensions and %d strides from element %d", len(t.Shape), len(t.strides), t.first)
	}
	n, last := int64(1), t.first
	for i, d := range t.Shape {
		if d < 0 || t.strides[i] < 0 {
			return fmt.Errorf("the shape %v with strides %v", t.Shape, t.strides)
		}
		if d > 1 && (n > math.MaxInt64/8/d || t.strides[i] > storage || d > storage) {
			return fmt.Errorf("the shape %v is larger than its storage of %d elements", t.Shape, storage)
		}
		n *= d
		last += max(d-1, 0) * t.strides[i]
		if last < 0 {
			return fmt.Errorf("the shape %v is too large", t.Shape)
		}
	}
	if n > 0 && (n > storage || last >= storage) {
		return fmt.Errorf("the shape %v is larger than its storage of %d elements", t.Shape, storage)
	}
	return nil
}

func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
