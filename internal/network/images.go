package network

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// wholeNumbers lists the integer types whose pixels range from 0 to 255. The
// range of other types, such as int8 or uint16, is not known.
var wholeNumbers = map[tensorflow.DataType]bool{tensorflow.Uint8: true, tensorflow.Int32: true, tensorflow.Int64: true}

// TakesPixels reports whether the network's input of that name takes integer
// pixels from 0 to 255.
func (n *Network) TakesPixels(input string) bool {
	in, err := n.Input(input)
	return err == nil && wholeNumbers[in.DataType]
}

// FromFloat32 returns the network with its only input, of an integer type,
// replaced by a float32 input: values are rounded to the nearest integer, ties
// to even, and clipped to 0 to 255. A network whose input is float32 is
// returned unchanged.
func (n *Network) FromFloat32() (*Network, error) {
	in, err := n.Input("")
	if err != nil || in.DataType == tensorflow.Float32 {
		return n, err
	}
	if !wholeNumbers[in.DataType] {
		return nil, fmt.Errorf("input %q has the type %v", in.Name, in.DataType)
	}
	x := newIndex(n.Graph.GetNode())
	at := mustID(in.Tensor)
	scope := x.freeScope(at.Node + "/pixels")
	float := attrs{"T": typeAttr(tensorflow.Float32)}
	number := func(name string, v float32) string {
		node := ConstNode(scope+"/"+name, tensorflow.Float32, []int64{}, binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
		x.nodes[node.GetName()] = node
		return node.GetName()
	}
	nodes := rewire(n.Graph.GetNode(), map[TensorID]TensorID{at: {scope + "/whole", 0}})
	nodes = slices.DeleteFunc(nodes, func(node *nodepb.NodeDef) bool { return node.GetName() == at.Node })
	low, high := number("low", 0), number("high", 255)
	nodes = append(nodes, PlaceholderNode(at.Node, tensorflow.Float32, in.Shape), x.nodes[low], x.nodes[high],
		newNode("Rint", scope+"/rounded", float, at.String()),
		newNode("ClipByValue", scope+"/clipped", float, scope+"/rounded", low, high),
		newNode("Cast", scope+"/whole", attrs{"SrcT": typeAttr(tensorflow.Float32), "DstT": typeAttr(in.DataType)}, scope+"/clipped"))
	inputs := slices.Clone(n.Inputs)
	inputs[0].DataType = tensorflow.Float32
	return n.live(nodes, inputs, n.Outputs, n.Weights), nil
}

// AnyBatch returns the network with its only input, fixed to a number of
// images, changed to take any number. Reshapes to that number then follow the
// batch. Other dependencies on the number are found by [Network.Independence]
// and by running the network. A network that takes any batch is returned
// unchanged.
func (n *Network) AnyBatch() (*Network, error) {
	in, err := n.Input("")
	if err != nil || len(in.Shape) == 0 {
		return n, err
	}
	fixed := n
	if in.Shape[0] < 0 {
		// Keras declares any batch size even for models built for one image.
		if n.takes(batchSizes[0]) || !n.takes(1) {
			return n, nil
		}
		fixed = n.withBatch(1)
	}
	size := fixed.Inputs[0].Shape[0]
	g, err := fixed.importGraph()
	if err != nil {
		return nil, err
	}
	defer g.Close()
	x := newIndex(n.Graph.GetNode())
	fed := x.dependents(tensors(n.Inputs))
	in.Shape = slices.Clone(in.Shape)
	in.Shape[0] = -1
	var nodes []*nodepb.NodeDef
	for _, node := range n.Graph.GetNode() {
		switch {
		case node.GetName() == mustID(in.Tensor).Node:
			node = PlaceholderNode(node.GetName(), in.DataType, in.Shape)
		case node.GetOp() == "Reshape" && fed[mustID(node.GetInput()[0]).Node]:
			nodes, node = x.followingBatch(nodes, node, size, g)
		}
		nodes = append(nodes, node)
	}
	outputs := slices.Clone(n.Outputs)
	for i, p := range outputs {
		if len(p.Shape) > 0 && p.Shape[0] == size {
			outputs[i].Shape = slices.Clone(p.Shape)
			outputs[i].Shape[0] = -1
		}
	}
	return n.live(nodes, []TensorInfo{in}, outputs, n.Weights), nil
}

// takes reports whether the network's shapes allow a batch of that size.
func (n *Network) takes(batch int64) bool {
	g, err := n.withBatch(batch).importGraph()
	if err != nil {
		return false
	}
	g.Close()
	return true
}

// followingBatch converts a Reshape whose constant shape begins with that batch
// size to one that follows the batch. It adds the nodes needed.
func (x *index) followingBatch(nodes []*nodepb.NodeDef, node *nodepb.NodeDef, size int64, g *tensorflow.Graph) ([]*nodepb.NodeDef, *nodepb.NodeDef) {
	_, constant := x.ints(mustID(node.GetInput()[1]))
	shape, err := g.Shape(node.GetName() + ":0")
	if err != nil || !constant || len(shape) == 0 || shape[0] != size || slices.Min(shape) < 0 {
		return nodes, node
	}
	dims := []int32{-1}
	for _, d := range shape[1:] {
		dims = append(dims, int32(d))
	}
	to := int32Const(x.freeName(node.GetName()+"/any_batch"), false, dims...)
	node = clone(node)
	node.Input[1] = to.GetName()
	node.Attr["Tshape"] = typeAttr(tensorflow.Int32)
	return append(nodes, to), node
}
