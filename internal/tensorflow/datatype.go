package tensorflow

import "fmt"

// DataType is the type of a tensor's elements, numbered as in
// tensorflow/core/framework/types.proto.
type DataType int32

const (
	Float32    DataType = 1
	Float64    DataType = 2
	Int32      DataType = 3
	Uint8      DataType = 4
	Int16      DataType = 5
	Int8       DataType = 6
	String     DataType = 7
	Complex64  DataType = 8
	Int64      DataType = 9
	Bool       DataType = 10
	BFloat16   DataType = 14
	Uint16     DataType = 17
	Complex128 DataType = 18
	Float16    DataType = 19
	Resource   DataType = 20
	Uint32     DataType = 22
	Uint64     DataType = 23
)

var dataTypes = map[DataType]struct {
	name string
	size int
}{
	Float32:    {"float32", 4},
	Float64:    {"float64", 8},
	Int32:      {"int32", 4},
	Uint8:      {"uint8", 1},
	Int16:      {"int16", 2},
	Int8:       {"int8", 1},
	String:     {"string", 0},
	Complex64:  {"complex64", 8},
	Int64:      {"int64", 8},
	Bool:       {"bool", 1},
	BFloat16:   {"bfloat16", 2},
	Uint16:     {"uint16", 2},
	Complex128: {"complex128", 16},
	Float16:    {"float16", 2},
	Resource:   {"resource", 0},
	Uint32:     {"uint32", 4},
	Uint64:     {"uint64", 8},
}

// Size returns the number of bytes of one element. It is 0 if elements have no
// fixed size (strings, resources) or the type is unknown.
func (t DataType) Size() int { return dataTypes[t].size }

// String returns the type's name as in Python's TensorFlow, like "float32".
func (t DataType) String() string {
	if d, ok := dataTypes[t]; ok {
		return d.name
	}
	return fmt.Sprintf("DataType(%d)", int32(t))
}
