package network

import (
	"fmt"
	"slices"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// ChannelsLast returns the network with its images, inside and at its only
// input, as [N, height, width, channels]. TensorFlow's CPU kernels do not
// support channels first, and folding and pooling need channels last.
//
// The input is assumed to have channels first if its shape says so: 1, 3 or 4
// in the second dimension and not in the last. Operations with data format NCHW
// become NHWC. Operations between them are converted too if possible; otherwise
// their inputs are transposed back.
func (n *Network) ChannelsLast() (*Network, error) {
	in, err := n.Input("")
	if err != nil {
		return nil, err
	}
	turn := channelsFirst(in.Shape)
	if !turn && !slices.ContainsFunc(n.Graph.GetNode(), func(node *nodepb.NodeDef) bool { return attrString(node, "data_format", "") == "NCHW" }) {
		return n, nil
	}
	g, err := n.importGraph()
	if err != nil {
		return nil, fmt.Errorf("channels last: %w", err)
	}
	defer g.Close()
	l := &layout{x: newIndex(n.Graph.GetNode()), graph: g, last: make(map[TensorID]TensorID), turned: make(map[TensorID]TensorID)}
	inputs := slices.Clone(n.Inputs)
	for _, node := range topological(n.Graph.GetNode()) {
		if at := mustID(in.Tensor); turn && node.GetName() == at.Node {
			inputs[0].Shape = permuted(in.Shape, toLast)
			l.nodes = append(l.nodes, PlaceholderNode(at.Node, in.DataType, inputs[0].Shape))
			l.last[at] = at
			continue
		}
		if err := l.convert(node); err != nil {
			return nil, fmt.Errorf("channels last: node %q (%s): %w", node.GetName(), node.GetOp(), err)
		}
	}
	outputs := slices.Clone(n.Outputs)
	for i, p := range outputs {
		outputs[i].Tensor = l.first(mustID(p.Tensor)).Name()
	}
	return n.live(l.nodes, inputs, outputs, n.Weights), nil
}

// channelsFirst reports whether the shape of a batch of images has the channels
// before height and width.
func channelsFirst(shape []int64) bool {
	few := func(d int64) bool { return d == 1 || d == 3 || d == 4 }
	return len(shape) == 4 && few(shape[1]) && !few(shape[3])
}

// The orders of dimensions that Transpose takes.
var (
	toLast  = []int{0, 2, 3, 1} // from NCHW to NHWC
	toFirst = []int{0, 3, 1, 2}
)

// newAxis maps a dimension of NCHW to NHWC.
var newAxis = []int{0, 3, 1, 2}

func permuted[E any](list []E, order []int) []E {
	out := make([]E, len(order))
	for i, from := range order {
		out[i] = list[from]
	}
	return out
}

// layout is the state of converting a network. A tensor in last exists in the
// graph only with channels last.
type layout struct {
	x      *index
	graph  *tensorflow.Graph
	nodes  []*nodepb.NodeDef
	last   map[TensorID]TensorID // original tensor → the tensor with channels last
	turned map[TensorID]TensorID // transposed tensors → the results
}

// add appends a node under its name or a similar one.
func (l *layout) add(node *nodepb.NodeDef) TensorID {
	l.nodes = append(l.nodes, node)
	l.x.nodes[node.GetName()] = node
	return TensorID{node.GetName(), 0}
}

func (l *layout) rank(r TensorID) int {
	shape, err := l.graph.Shape(r.Name())
	if err != nil || shape == nil {
		return -1
	}
	return len(shape)
}

// first returns a tensor in its original layout.
func (l *layout) first(r TensorID) TensorID {
	moved, ok := l.last[r]
	if !ok {
		return r
	}
	return l.transpose(moved, toFirst, r, "channels_first")
}

// inLast returns a tensor of images with channels last.
func (l *layout) inLast(r TensorID) TensorID {
	if moved, ok := l.last[r]; ok {
		return moved
	}
	return l.transpose(r, toLast, r, "channels_last")
}

func (l *layout) transpose(r TensorID, order []int, of TensorID, name string) TensorID {
	if done, ok := l.turned[of]; ok {
		return done
	}
	values := make([]int32, len(order))
	for i, v := range order {
		values[i] = int32(v)
	}
	base := l.x.freeName(of.Node + "/" + name)
	perm := l.add(int32Const(l.x.freeName(base+"/order"), false, values...))
	t := l.dataType(of)
	done := l.add(newNode("Transpose", base, attrs{"T": typeAttr(t), "Tperm": typeAttr(tensorflow.Int32)}, r.String(), perm.String()))
	l.turned[of] = done
	return done
}

func (l *layout) dataType(r TensorID) tensorflow.DataType {
	t, err := l.graph.DataType(r.Name())
	if err != nil {
		return tensorflow.Float32
	}
	return t
}

// convert converts a node.
func (l *layout) convert(node *nodepb.NodeDef) error {
	if attrString(node, "data_format", "") == "NCHW" && l.rank(mustID(node.GetInput()[0])) == 4 {
		return l.spatial(node)
	}
	moves := slices.ContainsFunc(dataInputs(node), func(in string) bool { _, ok := l.last[mustID(in)]; return ok })
	if done := l.transposition(node); done {
		return nil
	}
	if moves && l.agnostic(node) {
		return nil
	}
	same := clone(node)
	for i, in := range dataInputs(same) {
		same.Input[i] = l.first(mustID(in)).String()
	}
	l.add(same)
	return nil
}

// spatial converts an operation on images to the other format.
func (l *layout) spatial(node *nodepb.NodeDef) error {
	moved := clone(node)
	moved.Attr["data_format"] = stringAttr("NHWC")
	for _, name := range []string{"strides", "ksize", "dilations"} {
		if list := node.GetAttr()[name].GetList().GetI(); len(list) == 4 {
			moved.Attr[name] = intsAttr(permuted(list, toLast)...)
		}
	}
	if pads := node.GetAttr()["explicit_paddings"].GetList().GetI(); len(pads) == 8 {
		pairs := permuted([][]int64{pads[0:2], pads[2:4], pads[4:6], pads[6:8]}, toLast)
		moved.Attr["explicit_paddings"] = intsAttr(slices.Concat(pairs...)...)
	}
	images := 0
	if node.GetOp() == "Conv2DBackpropInput" {
		images = 2
		sizes, ok := l.x.ints(mustID(node.GetInput()[0]))
		if !ok || len(sizes) != 4 {
			return fmt.Errorf("its sizes are not constant: save the network with channels last")
		}
		moved.Input[0] = l.ints(node.GetName()+"/sizes", permuted(sizes, toLast)).String()
	}
	moved.Input[images] = l.inLast(mustID(node.GetInput()[images])).String()
	for i, in := range dataInputs(moved) {
		if i != images {
			moved.Input[i] = l.first(mustID(in)).String()
		}
	}
	l.last[TensorID{node.GetName(), 0}] = l.add(moved)
	return nil
}

func (l *layout) ints(name string, values []int64) TensorID {
	list := make([]int32, len(values))
	for i, v := range values {
		list[i] = int32(v)
	}
	return l.add(int32Const(l.x.freeName(name), false, list...))
}

// transposition removes a Transpose between the two orders if the result
// already exists in the target order.
func (l *layout) transposition(node *nodepb.NodeDef) bool {
	if node.GetOp() != "Transpose" {
		return false
	}
	in := mustID(node.GetInput()[0])
	order, ok := l.x.ints(mustID(node.GetInput()[1]))
	if !ok || len(order) != 4 {
		return false
	}
	moved, is := l.last[in]
	switch {
	case !is && slices.Equal(order, []int64{0, 3, 1, 2}):
		l.last[TensorID{node.GetName(), 0}] = in
		return true
	case is && slices.Equal(order, []int64{0, 2, 3, 1}):
		l.add(newNode("Identity", node.GetName(), attrs{"T": node.GetAttr()["T"]}, moved.String()))
		return true
	}
	return false
}

// agnostic converts an operation that does not depend on the order, or returns
// false.
func (l *layout) agnostic(node *nodepb.NodeDef) bool {
	out := TensorID{node.GetName(), 0}
	in := dataInputs(node)
	switch op := node.GetOp(); {
	case elementwise[op] && op != "BiasAdd" && !isFusedNorm(node) || everywhere[op]:
		return l.everywhere(node)
	case op == "ConcatV2" && l.rank(out) == 4:
		axis, ok := l.x.ints(mustID(in[len(in)-1]))
		if !ok || len(axis) != 1 {
			return false
		}
		moved := clone(node)
		for i, s := range in[:len(in)-1] {
			moved.Input[i] = l.inLast(mustID(s)).String()
		}
		at := newAxis[(axis[0]+4)%4]
		moved.Input[len(in)-1] = l.add(int32Const(l.x.freeName(node.GetName()+"/channels_last/axis"), true, int32(at))).String()
		moved.Attr["Tidx"] = typeAttr(tensorflow.Int32)
		l.last[out] = l.add(moved)
		return true
	case op == "Pad" || op == "PadV2" || op == "MirrorPad":
		pads, ok := l.x.ints(mustID(in[1]))
		if !ok || len(pads) != 8 {
			return false
		}
		pairs := permuted([][]int64{pads[0:2], pads[2:4], pads[4:6], pads[6:8]}, toLast)
		var values []byte
		for _, v := range slices.Concat(pairs...) {
			values = append(values, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
		}
		moved := clone(node)
		moved.Input[0] = l.inLast(mustID(in[0])).String()
		moved.Input[1] = l.add(ConstNode(l.x.freeName(node.GetName()+"/channels_last/paddings"), tensorflow.Int32, []int64{4, 2}, values)).String()
		moved.Attr["Tpaddings"] = typeAttr(tensorflow.Int32)
		l.last[out] = l.add(moved)
		return true
	case reductions[op]:
		return l.reduction(node)
	}
	return false
}

var reductions = set("All", "Any", "EuclideanNorm", "Max", "Mean", "Min", "Prod", "Sum")

// everywhere lists further operations that compute each value from those at its
// position.
var everywhere = set("Abs", "Cast", "Ceil", "CheckNumerics", "Expm1", "Floor", "Greater", "GreaterEqual", "Identity",
	"Less", "LessEqual", "Log", "Log1p", "Pow", "Reciprocal", "Rint", "Round", "SelectV2", "Sign", "SquaredDifference",
	"Snapshot", "StopGradient", "PreventGradient")

// everywhere converts an elementwise operation.
func (l *layout) everywhere(node *nodepb.NodeDef) bool {
	moved := clone(node)
	for i, in := range dataInputs(node) {
		r := mustID(in)
		switch l.rank(r) {
		case 4:
			moved.Input[i] = l.inLast(r).String()
		case 3:
			moved.Input[i] = l.transpose(r, []int{1, 2, 0}, r, "channels_last").String()
		case 2, 1:
			axis := l.add(int32Const(l.x.freeName(node.GetName()+"/axis"), true, -1))
			moved.Input[i] = l.add(newNode("ExpandDims", l.x.freeName(node.GetName()+"/operand"),
				attrs{"T": typeAttr(l.dataType(r)), "Tdim": typeAttr(tensorflow.Int32)}, r.String(), axis.String())).String()
		case 0:
		default:
			return false
		}
	}
	l.last[TensorID{node.GetName(), 0}] = l.add(moved)
	return true
}

// reduction converts a reduction over constant axes, unless its result would be
// in another order.
func (l *layout) reduction(node *nodepb.NodeDef) bool {
	axes, ok := l.x.ints(mustID(node.GetInput()[1]))
	if !ok {
		return false
	}
	kept := []int{0, 1, 2, 3}
	var moved []int64
	for _, axis := range axes {
		axis = (axis + 4) % 4
		kept = slices.DeleteFunc(kept, func(k int) bool { return k == int(axis) })
		moved = append(moved, int64(newAxis[axis]))
	}
	keep := node.GetAttr()["keep_dims"].GetB()
	if !keep && !slices.IsSortedFunc(kept, func(a, b int) int { return newAxis[a] - newAxis[b] }) {
		return false
	}
	reduced := clone(node)
	reduced.Input[0] = l.inLast(mustID(node.GetInput()[0])).String()
	reduced.Input[1] = l.ints(node.GetName()+"/channels_last/axes", moved).String()
	reduced.Attr["Tidx"] = typeAttr(tensorflow.Int32)
	at := l.add(reduced)
	if keep {
		l.last[at] = at
	}
	return true
}
