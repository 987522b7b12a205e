package network

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/tensorflow"
)

// Float32 returns the network with float16, bfloat16 and float64 replaced by
// float32: inputs, outputs, weights, constants and operations. Casts between
// these types become identities, which folding removes. Outputs are those of
// exact arithmetic up to float32's rounding, so they differ from the original's
// by its rounding errors: 1e-3 for float16 and 1e-2 for bfloat16, relative, per
// operation. It returns n itself if n has none of these types.
func (n *Network) Float32() (*Network, error) {
	if !n.hasOtherFloats() {
		return n, nil
	}
	nodes := slices.Clone(n.Graph.GetNode())
	for i, node := range nodes {
		if node.GetOp() == "Bitcast" {
			return nil, fmt.Errorf("float32: node %q depends on the bits of a number, which depend on its type: save the network in float32", node.GetName())
		}
		changed, err := widened(node)
		if err != nil {
			return nil, fmt.Errorf("float32: node %q: %w", node.GetName(), err)
		}
		nodes[i] = changed
	}
	float32s := func(list []TensorInfo) []TensorInfo {
		list = slices.Clone(list)
		for i, p := range list {
			if otherFloat(p.DataType) {
				list[i].DataType = tensorflow.Float32
			}
		}
		return list
	}
	weights := slices.Clone(n.Weights)
	for i, w := range weights {
		if otherFloat(w.DataType) {
			wide := *w
			wide.DataType, wide.Data = tensorflow.Float32, toFloat32(w.DataType, w.Data)
			weights[i] = &wide
		}
	}
	return n.live(nodes, float32s(n.Inputs), float32s(n.Outputs), weights), nil
}

func otherFloat(dt tensorflow.DataType) bool {
	return dt == tensorflow.Float16 || dt == tensorflow.BFloat16 || dt == tensorflow.Float64
}

func (n *Network) hasOtherFloats() bool {
	for _, node := range n.Graph.GetNode() {
		for _, v := range node.GetAttr() {
			if otherFloat(tensorflow.DataType(v.GetType())) {
				return true
			}
		}
	}
	return false
}

// widened returns the node with the other types replaced by float32.
func widened(node *nodepb.NodeDef) (*nodepb.NodeDef, error) {
	wide := proto.CloneOf(node)
	for _, v := range wide.GetAttr() {
		switch v := v.GetValue().(type) {
		case *attrpb.AttrValue_Type:
			if otherFloat(tensorflow.DataType(v.Type)) {
				v.Type = typespb.DataType_DT_FLOAT
			}
		case *attrpb.AttrValue_List:
			for i, t := range v.List.GetType() {
				if otherFloat(tensorflow.DataType(t)) {
					v.List.Type[i] = typespb.DataType_DT_FLOAT
				}
			}
		case *attrpb.AttrValue_Tensor:
			if err := widenTensor(v.Tensor); err != nil {
				return nil, err
			}
		}
	}
	return wide, nil
}

// widenTensor converts a constant's value: either all values, or a few of which
// the last is repeated.
func widenTensor(t *tensorpb.TensorProto) error {
	dt := tensorflow.DataType(t.GetDtype())
	if !otherFloat(dt) {
		return nil
	}
	if raw := t.GetTensorContent(); len(raw)%dt.Size() != 0 {
		return fmt.Errorf("its value has %d bytes, not a multiple of the size of %v", len(raw), dt)
	}
	t.TensorContent = toFloat32(dt, t.GetTensorContent())
	if len(t.TensorContent) == 0 {
		t.TensorContent = nil
	}
	for _, v := range t.GetHalfVal() {
		t.FloatVal = append(t.FloatVal, float32Of(dt, uint64(uint16(v))))
	}
	for _, v := range t.GetDoubleVal() {
		t.FloatVal = append(t.FloatVal, float32(v))
	}
	t.Dtype, t.HalfVal, t.DoubleVal = typespb.DataType_DT_FLOAT, nil, nil
	return nil
}

// toFloat32 converts an array, little-endian.
func toFloat32(dt tensorflow.DataType, raw []byte) []byte {
	size := dt.Size()
	out := make([]byte, 0, len(raw)/size*4)
	for ; len(raw) >= size; raw = raw[size:] {
		var bits uint64
		if size == 2 {
			bits = uint64(binary.LittleEndian.Uint16(raw))
		} else {
			bits = binary.LittleEndian.Uint64(raw)
		}
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32Of(dt, bits)))
	}
	return out
}

// float32Of converts the bits of a number of another type.
func float32Of(dt tensorflow.DataType, bits uint64) float32 {
	switch dt {
	case tensorflow.BFloat16:
		return math.Float32frombits(uint32(bits) << 16)
	case tensorflow.Float64:
		return float32(math.Float64frombits(bits))
	}
	sign, exponent, fraction := uint32(bits>>15)<<31, uint32(bits>>10)&31, uint32(bits)&1023
	switch exponent {
	case 31: // infinity, or not a number
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	case 0: // zero, or less than the least normal number
		return float32(math.Copysign(math.Ldexp(float64(fraction), -24), float64(math.Float32frombits(sign|1<<23))))
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}
