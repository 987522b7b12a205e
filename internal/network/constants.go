package network

import (
	"encoding/binary"

	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"

	"tkit/internal/tensorflow"
)

// maxInts bounds the constants of axes, shapes and the like that are parsed.
const maxInts = 1 << 10

// ints returns the values of an int32 or int64 constant.
func (x *index) ints(at TensorID) ([]int64, bool) {
	node := x.nodes[at.Node]
	for node.GetOp() == "Identity" {
		node = x.nodes[mustID(node.GetInput()[0]).Node]
	}
	if node.GetOp() != "Const" {
		return nil, false
	}
	return TensorInts(node.GetAttr()["value"].GetTensor())
}

// TensorInts returns the values of an int32 or int64 tensor with up to about a
// thousand elements. It returns false for any other.
func TensorInts(t *tensorpb.TensorProto) ([]int64, bool) {
	count := int64(1)
	for _, d := range t.GetTensorShape().GetDim() {
		if count *= d.GetSize(); count < 0 || count > maxInts {
			return nil, false
		}
	}
	values := make([]int64, 0, count)
	size := tensorflow.DataType(t.GetDtype()).Size()
	switch tensorflow.DataType(t.GetDtype()) {
	case tensorflow.Int32:
		for _, v := range t.GetIntVal() {
			values = append(values, int64(v))
		}
	case tensorflow.Int64:
		values = append(values, t.GetInt64Val()...)
	default:
		return nil, false
	}
	for raw := t.GetTensorContent(); len(raw) >= size; raw = raw[size:] {
		if size == 4 {
			values = append(values, int64(int32(binary.LittleEndian.Uint32(raw))))
		} else {
			values = append(values, int64(binary.LittleEndian.Uint64(raw)))
		}
	}
	if int64(len(values)) > count {
		return nil, false
	}
	for int64(len(values)) < count { // the last one stands for those that follow
		last := int64(0)
		if len(values) > 0 {
			last = values[len(values)-1]
		}
		values = append(values, last)
	}
	return values, true
}
