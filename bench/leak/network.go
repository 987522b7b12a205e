package main

import (
	attr "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	graph "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	node "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	"github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"
	"github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	"github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	"github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"
)

const float, integer = types_go_proto.DataType_DT_FLOAT, types_go_proto.DataType_DT_INT32

type weight struct {
	name  string
	shape []int64
}

var weights = []weight{
	{"kernel", []int64{3, 3, 3, 64}},
	{"dense", []int64{64, 32 << 10}},
}

type attrs = map[string]*attr.AttrValue

func dtype(t types_go_proto.DataType) *attr.AttrValue {
	return &attr.AttrValue{Value: &attr.AttrValue_Type{Type: t}}
}

func text(s string) *attr.AttrValue {
	return &attr.AttrValue{Value: &attr.AttrValue_S{S: []byte(s)}}
}

func dims(shape []int64) *tensor_shape_go_proto.TensorShapeProto {
	p := &tensor_shape_go_proto.TensorShapeProto{}
	for _, d := range shape {
		p.Dim = append(p.Dim, &tensor_shape_go_proto.TensorShapeProto_Dim{Size: d})
	}
	return p
}

func shape(s []int64) *attr.AttrValue {
	return &attr.AttrValue{Value: &attr.AttrValue_Shape{Shape: dims(s)}}
}

func network() *graph.GraphDef {
	g := &graph.GraphDef{Versions: &versions_go_proto.VersionDef{Producer: 1882}}
	add := func(op, name string, a attrs, inputs ...string) {
		g.Node = append(g.Node, &node.NodeDef{Op: op, Name: name, Attr: a, Input: inputs})
	}
	for _, w := range weights {
		add("VarHandleOp", w.name, attrs{"dtype": dtype(float), "shape": shape(w.shape), "shared_name": text(w.name)})
		add("ReadVariableOp", w.name+"/read", attrs{"dtype": dtype(float)}, w.name)
		add("Placeholder", w.name+"/value", attrs{"dtype": dtype(float), "shape": shape(w.shape)})
		add("AssignVariableOp", w.name+"/assign", attrs{"dtype": dtype(float)}, w.name, w.name+"/value")
	}
	add("Placeholder", "images", attrs{"dtype": dtype(float), "shape": shape([]int64{-1, 32, 32, 3})})
	add("Conv2D", "convolution", attrs{
		"T": dtype(float), "padding": text("SAME"),
		"strides": {Value: &attr.AttrValue_List{List: &attr.AttrValue_ListValue{I: []int64{1, 1, 1, 1}}}},
	}, "images", "kernel/read")
	add("Relu", "relu", attrs{"T": dtype(float)}, "convolution")
	add("Const", "axes", attrs{"dtype": dtype(integer), "value": {Value: &attr.AttrValue_Tensor{
		Tensor: &tensor_go_proto.TensorProto{Dtype: integer, TensorShape: dims([]int64{2}), IntVal: []int32{1, 2}},
	}}})
	add("Mean", "mean", attrs{"T": dtype(float), "Tidx": dtype(integer)}, "relu", "axes")
	add("MatMul", "logits", attrs{"T": dtype(float)}, "mean", "dense/read")
	return g
}
