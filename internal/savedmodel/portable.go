package savedmodel

import (
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	"google.golang.org/protobuf/proto"
)

// rankConstants gives constants of unknown rank, as in heads of older versions,
// the shape of their value: TensorFlow's C++ loader and its converters accept
// no others.
func rankConstants(nodes []*nodepb.NodeDef) {
	for _, n := range nodes {
		if t := n.GetAttr()["value"].GetTensor(); n.GetOp() == "Const" && t.GetTensorShape().GetUnknownRank() {
			t.TensorShape = &shapepb.TensorShapeProto{}
		}
	}
}

// replaceClips replaces each ClipByValue, which TFLite lacks, by a Minimum and
// a Maximum, as tf.clip_by_value does in Python.
func (b *builder) replaceClips() {
	for _, n := range b.def.GetNode() {
		if n.GetOp() != "ClipByValue" {
			continue
		}
		least := proto.CloneOf(n)
		least.Name, least.Op = n.GetName()+"/minimum", "Minimum"
		least.Input = []string{n.GetInput()[0], n.GetInput()[2]} // control inputs stay at the Maximum
		n.Op = "Maximum"
		n.Input = append([]string{b.add(least), n.GetInput()[1]}, n.GetInput()[3:]...)
	}
}
