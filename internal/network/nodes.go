package network

import (
	"encoding/binary"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"

	"tkit/internal/tensorflow"
)

// attrs is the attributes of a node.
type attrs = map[string]*attrpb.AttrValue

// newNode returns a node of one operation.
func newNode(op, name string, a attrs, inputs ...string) *nodepb.NodeDef {
	return &nodepb.NodeDef{Name: name, Op: op, Input: inputs, Attr: a}
}

// PlaceholderNode returns an input node. A nil shape is the unknown rank.
func PlaceholderNode(name string, dt tensorflow.DataType, shape []int64) *nodepb.NodeDef {
	return newNode("Placeholder", name, attrs{"dtype": typeAttr(dt), "shape": shapeAttr(shape)})
}

// WeightNodes returns the two nodes of w in a plain graph: its handle, and the
// node that reads it, whose output is the weight's value.
func WeightNodes(w *Weight) (handle, read *nodepb.NodeDef) {
	handle = newNode("VarHandleOp", w.Name, attrs{
		"dtype": typeAttr(w.DataType), "shape": shapeAttr(w.Shape),
		"shared_name": stringAttr(w.Name), "container": stringAttr(""),
	})
	read = newNode("ReadVariableOp", w.Name+readSuffix, attrs{"dtype": typeAttr(w.DataType)}, w.Name)
	return handle, read
}

// ConstNode returns a constant with the value raw, little-endian and row-major.
// A scalar has the shape []int64{}; nil would be an unknown rank.
func ConstNode(name string, dt tensorflow.DataType, shape []int64, raw []byte) *nodepb.NodeDef {
	value := &tensorpb.TensorProto{
		Dtype: typespb.DataType(dt), TensorShape: shapeProto(shape), TensorContent: raw,
	}
	return newNode("Const", name, attrs{
		"dtype": typeAttr(dt),
		"value": {Value: &attrpb.AttrValue_Tensor{Tensor: value}},
	})
}

// int32Const returns a constant vector, or a scalar if scalar is set, for axes
// and shapes.
func int32Const(name string, scalar bool, values ...int32) *nodepb.NodeDef {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(v))
	}
	shape := []int64{int64(len(values))}
	if scalar {
		shape = []int64{}
	}
	return ConstNode(name, tensorflow.Int32, shape, raw)
}

// shapeProto converts a shape. nil is the unknown rank.
func shapeProto(shape []int64) *shapepb.TensorShapeProto {
	if shape == nil {
		return &shapepb.TensorShapeProto{UnknownRank: true}
	}
	p := &shapepb.TensorShapeProto{}
	for _, d := range shape {
		p.Dim = append(p.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	return p
}

// shapeOf converts a shape. The unknown rank is nil.
func shapeOf(p *shapepb.TensorShapeProto) []int64 {
	if p == nil || p.GetUnknownRank() {
		return nil
	}
	shape := make([]int64, 0, len(p.GetDim()))
	for _, d := range p.GetDim() {
		shape = append(shape, d.GetSize())
	}
	return shape
}

// attrType returns the type in an attribute, 0 if it is missing.
func attrType(node *nodepb.NodeDef, name string) tensorflow.DataType {
	return tensorflow.DataType(node.GetAttr()[name].GetType())
}

// attrString returns the string in an attribute, or fallback if it is missing.
func attrString(node *nodepb.NodeDef, name, fallback string) string {
	if v, ok := node.GetAttr()[name].GetValue().(*attrpb.AttrValue_S); ok && len(v.S) > 0 {
		return string(v.S)
	}
	return fallback
}

// channelsLast reports whether a node takes images with channels last, the
// default of most operations.
func channelsLast(node *nodepb.NodeDef) bool {
	return attrString(node, "data_format", "NHWC") == "NHWC"
}

// intsAttr returns the attribute holding a list of integers.
func intsAttr(v ...int64) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{I: v}}}
}

// intAttr returns the attribute holding an integer.
func intAttr(v int64) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_I{I: v}}
}

// boolAttr returns the attribute holding b.
func boolAttr(b bool) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: b}}
}

// typesAttr returns the attribute holding a list of types.
func typesAttr(types ...tensorflow.DataType) *attrpb.AttrValue {
	list := &attrpb.AttrValue_ListValue{}
	for _, dt := range types {
		list.Type = append(list.Type, typespb.DataType(dt))
	}
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: list}}
}

// stringsAttr returns the attribute holding a list of strings.
func stringsAttr(v ...string) *attrpb.AttrValue {
	list := &attrpb.AttrValue_ListValue{}
	for _, s := range v {
		list.S = append(list.S, []byte(s))
	}
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: list}}
}
