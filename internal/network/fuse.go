package network

import (
	"slices"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// oneDNN lists the operations with which oneDNN computes a convolution together
// with its bias, the sum with a shortcut and the activation. TensorFlow's
// optimizer would fuse most of these, but it treats only constants as fixed
// filters: a variable's value is converted to oneDNN's layout in every run, a
// tenth of the time of ResNet-50 in bfloat16. A loaded network's weights never
// change. Marking them as constant lets a kernel keep the filters that it
// reordered in its first run.
var oneDNN = map[string]string{
	"Conv2D":                "_MklNativeFusedConv2D",
	"DepthwiseConv2dNative": "_MklNativeFusedDepthwiseConv2dNative",
}

// activations lists the activations that oneDNN can append to a convolution.
var activations = set("Relu", "Relu6", "Elu", "LeakyRelu")

// allocating lists operations whose output is memory of their own as long as
// their inputs are in use.
var allocating = set("Conv2D", "DepthwiseConv2dNative", "BiasAdd", "Relu", "Relu6", "Elu", "LeakyRelu",
	"Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum", "FusedBatchNormV3", "MaxPool", "AvgPool")

// A fusion is the state of fusing a network's nodes.
type fusion struct {
	n       *Network
	types   map[string][]tensorflow.DataType // computed by an operation of oneDNN
	x       *index
	g       *tensorflow.Graph // for the shapes
	outputs map[string]bool   // nodes that must stay
	gone    map[string]bool
	made    map[string]*nodepb.NodeDef // by the name of the last node they replace
}

// fuse returns the nodes, with convolutions of the given types and their
// successors replaced by oneDNN's operations.
func (n *Network) fuse(types map[string][]tensorflow.DataType) ([]*nodepb.NodeDef, error) {
	if len(types) == 0 {
		return n.Graph.GetNode(), nil
	}
	g, err := n.importGraph()
	if err != nil {
		return nil, err
	}
	defer g.Close()
	f := &fusion{
		n: n, types: types, x: newIndex(n.Graph.GetNode()), g: g,
		outputs: make(map[string]bool), gone: make(map[string]bool), made: make(map[string]*nodepb.NodeDef),
	}
	for _, p := range n.Outputs {
		f.outputs[mustID(p.Tensor).Node] = true
	}
	order := topological(n.Graph.GetNode())
	slices.Reverse(order) // if two convolutions are added, the later includes the sum
	for _, node := range order {
		if err := f.convolution(node); err != nil {
			return nil, err
		}
	}
	var nodes []*nodepb.NodeDef
	for _, node := range n.Graph.GetNode() {
		if made := f.made[node.GetName()]; made != nil {
			nodes = append(nodes, made)
		} else if !f.gone[node.GetName()] {
			nodes = append(nodes, node)
		}
	}
	return nodes, nil
}

// oneDNNTypes lists, for each operation of oneDNN, the types that it computes
// in a session configured by c.
func oneDNNTypes(c tensorflow.Config) (map[string][]tensorflow.DataType, error) {
	able, err := tensorflow.OneDNN(c)
	if err != nil {
		return nil, err
	}
	types := make(map[string][]tensorflow.DataType)
	for _, op := range oneDNN {
		for _, dt := range able {
			ok, err := tensorflow.HasOneDNNKernel(op, dt)
			if err != nil {
				return nil, err
			}
			if ok {
				types[op] = append(types[op], dt)
			}
		}
	}
	return types, nil
}

// convolution replaces a convolution with a fixed filter and a bias, and its
// successors.
func (f *fusion) convolution(conv *nodepb.NodeDef) error {
	if !f.fusible(conv) {
		return nil
	}
	bias := f.next(conv)
	if bias == nil || bias.GetOp() != "BiasAdd" || mustID(bias.GetInput()[0]).Node != conv.GetName() || !channelsLast(bias) {
		return nil
	}
	fused := newNode(oneDNN[conv.GetOp()], "", attrs{}, conv.GetInput()[0], conv.GetInput()[1], bias.GetInput()[1])
	chain, ops := []*nodepb.NodeDef{conv, bias}, []string{"BiasAdd"}
	last := bias
	take := func(node *nodepb.NodeDef, op string) {
		chain, ops, last = append(chain, node), append(ops, op), node
	}
	if sum := f.next(last); sum != nil && (sum.GetOp() == "AddV2" || sum.GetOp() == "Add") && conv.GetOp() == "Conv2D" {
		other, err := f.addend(sum, conv, last)
		if err != nil {
			return err
		}
		if other != "" {
			fused.Input = append(fused.Input, other)
			take(sum, "Add")
		}
	}
	if activation := f.next(last); activation != nil && activations[activation.GetOp()] {
		if alpha := activation.GetAttr()["alpha"]; alpha != nil {
			fused.Attr["leakyrelu_alpha"] = alpha
		}
		take(activation, activation.GetOp())
	}
	describeFused(fused, conv, ops)
	fused.Name = last.GetName()
	for _, node := range chain {
		f.gone[node.GetName()] = true
	}
	f.made[last.GetName()] = fused
	return nil
}

// fusible reports whether oneDNN supports the convolution.
func (f *fusion) fusible(conv *nodepb.NodeDef) bool {
	op, known := oneDNN[conv.GetOp()]
	return known && slices.Contains(f.types[op], attrType(conv, "T")) &&
		channelsLast(conv) &&
		(conv.GetOp() == "Conv2D" || attrString(conv, "padding", "") != "EXPLICIT") &&
		len(dataInputs(conv)) == len(conv.GetInput()) && f.fixed(conv.GetInput()[1])
}

// describeFused sets the attributes of a fused node.
func describeFused(fused, conv *nodepb.NodeDef, ops []string) {
	copied := []string{"T", "strides", "padding", "dilations"}
	args := len(fused.Input) - 2
	if conv.GetOp() == "Conv2D" {
		copied = append(copied, "explicit_paddings")
		fused.Attr["TArgs"] = typesAttr(slices.Repeat([]tensorflow.DataType{attrType(conv, "T")}, args)...)
	}
	for _, name := range copied {
		if v := conv.GetAttr()[name]; v != nil {
			fused.Attr[name] = v
		}
	}
	fused.Attr["num_args"] = intAttr(int64(args))
	fused.Attr["fused_ops"] = stringsAttr(ops...)
	fused.Attr["is_filter_const"] = boolAttr(true)
	fused.Attr["_kernel"] = stringAttr(tensorflow.OneDNNLabel)
}

// next returns the only consumer of a node's output. It is nil if there are
// several, or if the output is the network's.
func (f *fusion) next(node *nodepb.NodeDef) *nodepb.NodeDef {
	to := f.x.consumers[node.GetName()]
	if len(to) != 1 || f.outputs[node.GetName()] || f.gone[to[0]] {
		return nil
	}
	next := f.x.nodes[to[0]]
	if len(dataInputs(next)) < len(next.GetInput()) {
		return nil
	}
	return next
}

// addend returns what a sum adds to term, the result of conv, if it can be an input
// of the fused operation, else "".
func (f *fusion) addend(sum, conv, term *nodepb.NodeDef) (string, error) {
	in := sum.GetInput()
	other := in[0]
	if mustID(other).Node == term.GetName() {
		other = in[1]
	}
	a, err := f.g.Shape(mustID(other).Name())
	if err != nil {
		return "", err
	}
	b, err := f.g.Shape(TensorID{term.GetName(), 0}.Name())
	if err != nil {
		return "", err
	}
	if len(a) != 4 || !slices.Equal(a, b) || slices.Contains(a[1:], -1) || !f.replaceable(mustID(other).Node, sum, conv) {
		return "", nil
	}
	return other, nil
}

// replaceable reports whether nothing needs an addend any more when the fused
// operation runs, which then adds into the addend's memory. Otherwise the kernel
// copies the addend first, and keeps that copy in fields that all runs share: runs at
// the same time would crash or mix their images (MklConvOp::AllocateOutputTensor of
// TensorFlow 2.18).
func (f *fusion) replaceable(addend string, sum, conv *nodepb.NodeDef) bool {
	if f.outputs[addend] || !allocating[f.x.nodes[addend].GetOp()] {
		return false
	}
	ended := f.x.sources(conv.GetInput()) // when the fused operation runs
	for _, consumer := range f.x.consumers[addend] {
		if consumer != sum.GetName() && !(ended[consumer] && allocating[f.x.nodes[consumer].GetOp()]) {
			return false
		}
	}
	return true
}

// fixed reports whether a tensor is the same in every run.
func (f *fusion) fixed(tensor string) bool {
	node := f.x.nodes[mustID(tensor).Node]
	switch node.GetOp() {
	case "Const":
		return true
	case "ReadVariableOp":
		return f.n.Weight(mustID(node.GetInput()[0]).Node) != nil
	}
	return false
}
