package rpc

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"tkit/inference"
	"tkit/internal/tensorflow"
	"tkit/serve"
)

// An element describes how TensorFlow's protocol buffers store a type of element
// outside of tensor_content: the field, and the conversions between the field's
// values and bytes.
type element struct {
	field protoreflect.Name
	// pack appends the first n values of the field. The last value is repeated
	// for all that are left out.
	pack func(t *tensorpb.TensorProto, n int) []byte
	// unpack sets the field.
	unpack func(t *tensorpb.TensorProto, data []byte)
	given  func(t *tensorpb.TensorProto) int // values in the field
}

var little = binary.LittleEndian

// elementOf makes an element from the accessors of a field.
func elementOf[V any](field protoreflect.Name, get func(*tensorpb.TensorProto) *[]V, size int, put func(to []byte, v V), read func(from []byte) V) element {
	return element{
		field: field,
		given: func(t *tensorpb.TensorProto) int { return len(*get(t)) },
		pack: func(t *tensorpb.TensorProto, n int) []byte {
			data, values := make([]byte, n*size), *get(t)
			for i := range n {
				put(data[i*size:], values[min(i, len(values)-1)])
			}
			return data
		},
		unpack: func(t *tensorpb.TensorProto, data []byte) {
			values := make([]V, 0, len(data)/size)
			for one := range slices.Chunk(data, size) {
				values = append(values, read(one))
			}
			*get(t) = values
		},
	}
}

// pairOf makes an element from pairs of numbers in the field of another type,
// for complex numbers.
func pairOf[V any](part element, get func(*tensorpb.TensorProto) *[]V, size int, put func(to []byte, v V)) element {
	return element{
		field:  part.field,
		given:  func(t *tensorpb.TensorProto) int { return len(*get(t)) / 2 },
		unpack: part.unpack,
		pack: func(t *tensorpb.TensorProto, n int) []byte {
			data, values := make([]byte, 2*n*size), *get(t)
			for i := range 2 * n {
				put(data[i*size:], values[min(i, len(values)/2*2-2+i%2)])
			}
			return data
		},
	}
}

func putFloat(to []byte, v float32)  { little.PutUint32(to, math.Float32bits(v)) }
func readFloat(from []byte) float32  { return math.Float32frombits(little.Uint32(from)) }
func putDouble(to []byte, v float64) { little.PutUint64(to, math.Float64bits(v)) }
func readDouble(from []byte) float64 { return math.Float64frombits(little.Uint64(from)) }

// ints, halves and the others are the fields of TensorProto.
func ints(t *tensorpb.TensorProto) *[]int32      { return &t.IntVal }
func halves(t *tensorpb.TensorProto) *[]int32    { return &t.HalfVal }
func int64s(t *tensorpb.TensorProto) *[]int64    { return &t.Int64Val }
func uint32s(t *tensorpb.TensorProto) *[]uint32  { return &t.Uint32Val }
func uint64s(t *tensorpb.TensorProto) *[]uint64  { return &t.Uint64Val }
func bools(t *tensorpb.TensorProto) *[]bool      { return &t.BoolVal }
func floats(t *tensorpb.TensorProto) *[]float32  { return &t.FloatVal }
func doubles(t *tensorpb.TensorProto) *[]float64 { return &t.DoubleVal }

func complexes(t *tensorpb.TensorProto) *[]float32       { return &t.ScomplexVal }
func doubleComplexes(t *tensorpb.TensorProto) *[]float64 { return &t.DcomplexVal }

// halfElement is a float of 16 bits, stored in half_val as an integer.
var halfElement = elementOf("half_val", halves, 2,
	func(to []byte, v int32) { little.PutUint16(to, uint16(v)) }, func(from []byte) int32 { return int32(little.Uint16(from)) })

var elements = map[inference.DataType]element{
	tensorflow.Float32:    elementOf("float_val", floats, 4, putFloat, readFloat),
	tensorflow.Float64:    elementOf("double_val", doubles, 8, putDouble, readDouble),
	tensorflow.Complex64:  pairOf(elementOf("scomplex_val", complexes, 4, putFloat, readFloat), complexes, 4, putFloat),
	tensorflow.Complex128: pairOf(elementOf("dcomplex_val", doubleComplexes, 8, putDouble, readDouble), doubleComplexes, 8, putDouble),
	tensorflow.Float16:    halfElement, tensorflow.BFloat16: halfElement,
	tensorflow.Int32: elementOf("int_val", ints, 4,
		func(to []byte, v int32) { little.PutUint32(to, uint32(v)) }, func(from []byte) int32 { return int32(little.Uint32(from)) }),
	tensorflow.Int16: elementOf("int_val", ints, 2,
		func(to []byte, v int32) { little.PutUint16(to, uint16(v)) }, func(from []byte) int32 { return int32(int16(little.Uint16(from))) }),
	tensorflow.Uint16: elementOf("int_val", ints, 2,
		func(to []byte, v int32) { little.PutUint16(to, uint16(v)) }, func(from []byte) int32 { return int32(little.Uint16(from)) }),
	tensorflow.Int8: elementOf("int_val", ints, 1,
		func(to []byte, v int32) { to[0] = byte(v) }, func(from []byte) int32 { return int32(int8(from[0])) }),
	tensorflow.Uint8: elementOf("int_val", ints, 1,
		func(to []byte, v int32) { to[0] = byte(v) }, func(from []byte) int32 { return int32(from[0]) }),
	tensorflow.Int64: elementOf("int64_val", int64s, 8,
		func(to []byte, v int64) { little.PutUint64(to, uint64(v)) }, func(from []byte) int64 { return int64(little.Uint64(from)) }),
	tensorflow.Uint32: elementOf("uint32_val", uint32s, 4,
		func(to []byte, v uint32) { little.PutUint32(to, v) }, func(from []byte) uint32 { return little.Uint32(from) }),
	tensorflow.Uint64: elementOf("uint64_val", uint64s, 8,
		func(to []byte, v uint64) { little.PutUint64(to, v) }, func(from []byte) uint64 { return little.Uint64(from) }),
	tensorflow.Bool: elementOf("bool_val", bools, 1,
		func(to []byte, v bool) {
			if v {
				to[0] = 1
			}
		}, func(from []byte) bool { return from[0] != 0 }),
}

// readTensor reads an input of a signature. Its elements share memory with t if t
// contains all of them; otherwise the account counts their copy.
func (s *Server) readTensor(name string, t *tensorpb.TensorProto, takes inference.Signature, account *serve.Account) (inference.Tensor, error) {
	in := inference.Tensor{Name: name, Type: inference.DataType(t.GetDtype()), Shape: []int64{}}
	if info, err := takes.Input(name); err != nil {
		return in, err
	} else if info.DataType != in.Type {
		return in, badRequest("input %.100q is %v; want %v", name, t.GetDtype(), typespb.DataType(info.DataType))
	}
	if t.GetTensorShape().GetUnknownRank() {
		return in, badRequest("input %.100q has no shape", name)
	}
	for _, d := range t.GetTensorShape().GetDim() {
		in.Shape = append(in.Shape, d.GetSize())
	}
	n, err := inference.Elements(in.Shape)
	if err != nil {
		return in, badRequest("input %.100q: %w", name, err)
	}
	size := int64(stringWeight)
	e, numeric := elements[in.Type]
	if numeric {
		size = int64(in.Type.Size())
	} else if in.Type == tensorflow.String {
		e.field = "string_val"
	} else {
		return in, badRequest("input %.100q is %v, which requests cannot contain", name, t.GetDtype())
	}
	if most := growth * int64(s.MaxMessage); n > most/size {
		return in, &inference.Error{Reason: inference.TooLarge, Err: fmt.Errorf("input %.100q of the shape %v takes more than %d bytes", name, in.Shape, most)}
	}
	if field := unread(t, e.field, numeric); field != "" {
		return in, badRequest("input %.100q has values in %s; values of %v must be in %s", name, field, t.GetDtype(), e.field)
	}
	if !numeric {
		in.Strings, err = readStrings(name, t.GetStringVal(), n, account)
		return in, err
	}
	in.Data, err = readNumbers(name, t, e, n, account)
	return in, err
}

// readNumbers returns the elements of a tensor of n numbers: those in
// tensor_content, or those in the field of its type, the last of which is
// repeated for all that are left out.
func readNumbers(name string, t *tensorpb.TensorProto, e element, n int64, account *serve.Account) ([]byte, error) {
	given, size := e.given(t), int64(inference.DataType(t.GetDtype()).Size())
	if raw := t.GetTensorContent(); len(raw) > 0 {
		if given > 0 {
			return nil, badRequest("input %.100q has values in tensor_content and in %s: give one of them", name, e.field)
		}
		if int64(len(raw)) != n*size {
			return nil, badRequest("input %.100q has %d bytes in tensor_content; its shape has %d", name, len(raw), n*size)
		}
		return raw, nil
	}
	if given == 0 && n > 0 || int64(given) > n {
		return nil, badRequest("input %.100q has %d values in %s and none in tensor_content; its shape has %d", name, given, e.field, n)
	}
	if t.GetDtype() == typespb.DataType_DT_FLOAT && int64(given) == n {
		return inference.Float32Tensor(name, nil, t.GetFloatVal()).Data, nil
	}
	if err := account.Hold(n * size); err != nil {
		return nil, err
	}
	return e.pack(t, int(n)), nil
}

// readStrings returns n strings; the last one present is repeated for all that
// are left out.
func readStrings(name string, given [][]byte, n int64, account *serve.Account) ([][]byte, error) {
	if len(given) == 0 && n > 0 || int64(len(given)) > n {
		return nil, badRequest("input %.100q has %d values in string_val; its shape has %d", name, len(given), n)
	}
	if int64(len(given)) == n {
		return given, nil
	}
	if err := account.Hold(n * stringWeight); err != nil {
		return nil, err
	}
	all := slices.Grow(slices.Clone(given), int(n)-len(given))
	for int64(len(all)) < n {
		all = append(all, given[len(given)-1])
	}
	return all, nil
}

// unread returns the name of a field that has values but is not used for a type,
// or "".
func unread(t *tensorpb.TensorProto, field protoreflect.Name, content bool) (name string) {
	read := []protoreflect.Name{"dtype", "tensor_shape", "version_number", field}
	if content {
		read = append(read, "tensor_content")
	}
	t.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if !slices.Contains(read, f.Name()) {
			name = string(f.Name())
		}
		return name == ""
	})
	return name
}

// tensorProto writes an output. Its values are in the field of their type, as in
// TensorFlow Serving, since clients read them there.
func tensorProto(o inference.Tensor) *tensorpb.TensorProto {
	shape := &shapepb.TensorShapeProto{}
	for _, d := range o.Shape {
		shape.Dim = append(shape.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	t := &tensorpb.TensorProto{Dtype: typespb.DataType(o.Type), TensorShape: shape}
	switch o.Type {
	case tensorflow.Float32:
		t.FloatVal = o.Float32()
	case tensorflow.String:
		t.StringVal = o.Strings
	default:
		elements[o.Type].unpack(t, o.Data)
	}
	return t
}
