package pipeline

import (
	"encoding/binary"
	"fmt"
	"math"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	versionspb "github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"

	"tkit/internal/tensorflow"
)

type attrs = map[string]*attrpb.AttrValue

// compiler appends nodes to a graph.
type compiler struct {
	def   *graphpb.GraphDef
	scope string
	name  string // of the next node; derived from its operation if empty
	// control, if set, is the node on which constants depend: within a loop
	// they belong to an iteration.
	control string
}

func newCompiler() *compiler {
	return &compiler{def: &graphpb.GraphDef{Versions: &versionspb.VersionDef{Producer: 1882}}}
}

// add appends a node and returns its name.
func (c *compiler) add(op string, a attrs, inputs ...string) string {
	name := c.name
	if name == "" {
		name = fmt.Sprintf("%s%s_%d", c.scope, op, len(c.def.Node))
	}
	c.name = ""
	c.def.Node = append(c.def.Node, &nodepb.NodeDef{Name: name, Op: op, Input: inputs, Attr: a})
	return name
}

// ints appends an int32 constant; nil is a scalar's shape.
func (c *compiler) ints(shape []int64, v ...int32) string {
	var raw []byte
	for _, i := range v {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(i))
	}
	return c.constant(tensorflow.Int32, shape, raw)
}

// floats appends a float32 vector.
func (c *compiler) floats(v ...float32) string {
	return c.floatsOf([]int64{int64(len(v))}, v...)
}

// floatsOf appends a float32 constant.
func (c *compiler) floatsOf(shape []int64, v ...float32) string {
	var raw []byte
	for _, f := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	return c.constant(tensorflow.Float32, shape, raw)
}

func (c *compiler) constant(dt tensorflow.DataType, shape []int64, raw []byte) string {
	p := &shapepb.TensorShapeProto{}
	for _, d := range shape {
		p.Dim = append(p.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	return c.value(&tensorpb.TensorProto{Dtype: typespb.DataType(dt), TensorShape: p, TensorContent: raw})
}

// bytes appends a string scalar.
func (c *compiler) bytes(s string) string {
	return c.value(&tensorpb.TensorProto{
		Dtype: typespb.DataType_DT_STRING, TensorShape: &shapepb.TensorShapeProto{}, StringVal: [][]byte{[]byte(s)},
	})
}

func (c *compiler) value(v *tensorpb.TensorProto) string {
	var after []string
	if c.control != "" {
		after = []string{"^" + c.control}
	}
	return c.add("Const", attrs{
		"dtype": {Value: &attrpb.AttrValue_Type{Type: v.GetDtype()}},
		"value": {Value: &attrpb.AttrValue_Tensor{Tensor: v}},
	}, after...)
}

func dataType(dt tensorflow.DataType) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType(dt)}}
}

func integer(v int64) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_I{I: v}}
}

func integers(v ...int64) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{I: v}}}
}

func floating(v float32) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_F{F: v}}
}

func boolean(v bool) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: v}}
}

func text(v string) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(v)}}
}

func scalarShape() *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: &shapepb.TensorShapeProto{}}}
}

func unknownShape() *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: &shapepb.TensorShapeProto{UnknownRank: true}}}
}
