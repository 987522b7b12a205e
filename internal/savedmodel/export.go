package savedmodel

import (
	"maps"
	"slices"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	oppb "github.com/wamuir/graft/tensorflow/core/framework/op_def_go_proto"
	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// metaGraph returns the meta graph of an export: the network's graph with the
// nodes by which TensorFlow 1 initialises, saves and restores variables.
func metaGraph(e Export) (*metapb.MetaGraphDef, error) {
	if err := e.Network.Validate(); err != nil {
		return nil, err
	}
	def := proto.CloneOf(e.Network.Graph)
	rankConstants(def.GetNode())
	g, err := newGraph(nil, def.GetNode())
	if err != nil {
		return nil, err
	}
	b := builder{graph: g, def: def}
	b.replaceClips()
	meta := &metapb.MetaGraphDef{
		GraphDef:     b.def,
		SignatureDef: map[string]*metapb.SignatureDef{signatureKey(e): signatureDef(e.Network.Inputs, e.Network.Outputs)},
	}
	if e.Front != nil {
		outputs, err := b.front(e)
		if err != nil {
			return nil, err
		}
		meta.SignatureDef[e.Front.Signature] = signatureDef([]network.TensorInfo{e.Front.Input}, outputs)
	}
	meta.AssetFileDef = b.assets(e.Assets)
	if len(e.Network.Weights) > 0 {
		if meta.CollectionDef, err = b.variables(e.Network.Weights); err != nil {
			return nil, err
		}
		meta.SaverDef = b.saver(e.Network.Weights)
	}
	used, err := usedOps(b.def.GetNode())
	if err != nil {
		return nil, err
	}
	meta.MetaInfoDef = &metapb.MetaGraphDef_MetaInfoDef{
		Tags: []string{serveTag}, TensorflowVersion: tensorflow.Version(), StrippedOpList: used,
	}
	return meta, nil
}

func signatureKey(e Export) string {
	if e.Signature == "" {
		return servingDefault
	}
	return e.Signature
}

func signatureDef(inputs, outputs []network.TensorInfo) *metapb.SignatureDef {
	infos := func(tensors []network.TensorInfo) map[string]*metapb.TensorInfo {
		m := make(map[string]*metapb.TensorInfo, len(tensors))
		for _, p := range tensors {
			m[p.Name] = &metapb.TensorInfo{
				Encoding: &metapb.TensorInfo_Name{Name: p.Tensor}, Dtype: typespb.DataType(p.DataType), TensorShape: shapeProto(p.Shape),
			}
		}
		return m
	}
	def := &metapb.SignatureDef{Inputs: infos(inputs), Outputs: infos(outputs)}
	SetMethod(def, predictMethod)
	return def
}

// SetMethod sets a signature's method name. TensorFlow writes it into every
// signature, and TensorFlow Serving before 2.4 refuses a signature without one.
// The generated field is marked as deprecated, so it is set by its name in the
// message.
func SetMethod(def *metapb.SignatureDef, method string) {
	message := def.ProtoReflect()
	message.Set(message.Descriptor().Fields().ByName("method_name"), protoreflect.ValueOfString(method))
}

func shapeProto(shape []int64) *shapepb.TensorShapeProto {
	p := &shapepb.TensorShapeProto{UnknownRank: shape == nil}
	for _, d := range shape {
		p.Dim = append(p.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	return p
}

// usedOps lists the definitions of the operations in the graph. Other
// TensorFlow versions use them to find attributes that can be left out.
func usedOps(nodes []*nodepb.NodeDef) (*oppb.OpList, error) {
	ops, err := registry()
	if err != nil {
		return nil, err
	}
	used := map[string]*oppb.OpDef{}
	for _, n := range nodes {
		if used[n.GetOp()], err = ops.find(n); err != nil {
			return nil, err
		}
	}
	list := &oppb.OpList{}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		list.Op = append(list.Op, used[name])
	}
	return list, nil
}

// A builder adds nodes to a graph.
type builder struct {
	*graph
	def *graphpb.GraphDef
}

// add adds a node under its name or a similar free one, and returns the name.
func (b *builder) add(n *nodepb.NodeDef) string {
	n.Name = b.free(n.GetName())
	b.nodes[n.GetName()] = n
	b.def.Node = append(b.def.Node, n)
	return n.GetName()
}

// node adds a node of one operation.
func (b *builder) node(op, name string, a attributes, inputs ...string) string {
	return b.add(&nodepb.NodeDef{Name: name, Op: op, Attr: a, Input: inputs})
}

// texts adds a constant of strings: a vector, or a scalar.
func (b *builder) texts(name string, vector bool, values ...string) string {
	t := &tensorpb.TensorProto{Dtype: typespb.DataType_DT_STRING, TensorShape: &shapepb.TensorShapeProto{}}
	if vector {
		t.TensorShape = shapeProto([]int64{int64(len(values))})
	}
	for _, v := range values {
		t.StringVal = append(t.StringVal, []byte(v))
	}
	return b.node("Const", name, attributes{
		"dtype": typeAttribute(tensorflow.String),
		"value": {Value: &attrpb.AttrValue_Tensor{Tensor: t}},
	})
}

func typeAttribute(dt tensorflow.DataType) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType(dt)}}
}

func shapeAttribute(shape []int64) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: shapeProto(shape)}}
}
