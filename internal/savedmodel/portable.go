package savedmodel

import (
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	"google.golang.org/protobuf/proto"
)

// rankConstants gives constants of unknown rank, which heads of older versions
// have, the shape of the one value that they hold: TensorFlow's C++ loader and
// its converters take no others.
func rankConstants(nodes []*nodepb.NodeDef) {
	for _, n := range nodes {
		if t := n.GetAttr()["value"].GetTensor(); n.GetOp() == "Const" && t.GetTensorShape().GetUnknownRank() {
			t.TensorShape = &shapepb.TensorShapeProto{}
		}
	}
}

// replaceClips replaces each ClipByValue, which TFLite does not have, with the
// Minimum and the Maximum that TensorFlow's Python writes for tf.clip_by_value.
func (b *builder) replaceClips() {
	for _, n := range b.def.GetNode() {
		if n.GetOp() != "ClipByValue" {
			continue
		}
		least := proto.CloneOf(n)
		least.Name, least.Op = n.GetName()+"/minimum", "Minimum"
		least.Input = []string{n.GetInput()[0], n.GetInput()[2]} // control inputs stay with the Maximum
		n.Op = "Maximum"
		n.Input = append([]string{b.add(least), n.GetInput()[1]}, n.GetInput()[3:]...)
	}
}
