package network

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	opdefpb "github.com/wamuir/graft/tensorflow/core/framework/op_def_go_proto"

	"tkit/internal/tensorflow"
)

// wide lists operations that stay in float32: exponentials and long sums, whose
// errors in bfloat16 exceed bfloat16's precision.
var wide = set("Cumsum", "Exp", "Expm1", "L2Loss", "Log", "Log1p", "LogSoftmax", "Mean", "Pow",
	"Prod", "Range", "Rsqrt", "Softmax", "SparseSoftmaxCrossEntropyWithLogits", "Sqrt", "Sum")

// BFloat16 returns the network with its float32 weights and arithmetic in
// bfloat16, rounded to nearest even. Inputs and outputs keep their types. Operations that
// TensorFlow cannot compute in bfloat16, and those that need more than its 8
// bits (softmax, means), stay in float32 with casts around them, and so do
// weights used only by these.
//
// Outputs differ by about 1 % and near ties may flip: compare with float32 on
// data before use. Fold and cut first, or the bottleneck is bfloat16.
func (n *Network) BFloat16() (*Network, error) {
	if err := n.Validate(); err != nil {
		return nil, fmt.Errorf("bfloat16: %w", err)
	}
	defs, err := tensorflow.Operations()
	if err != nil {
		return nil, fmt.Errorf("bfloat16: %w", err)
	}
	c := &narrowing{
		n:      n,
		x:      newIndex(n.Graph.GetNode()),
		defs:   defs,
		narrow: make(map[string]bool),
		casts:  make(map[string]*nodepb.NodeDef),
	}
	if err := c.choose(); err != nil {
		return nil, fmt.Errorf("bfloat16: %w", err)
	}
	c.chooseValues()
	out, err := c.rewrite()
	if err != nil {
		return nil, fmt.Errorf("bfloat16: %w", err)
	}
	return out, nil
}

// A narrowing is the state of converting a network to bfloat16.
type narrowing struct {
	n      *Network
	x      *index
	defs   map[string]*opdefpb.OpDef
	narrow map[string]bool            // nodes that become bfloat16
	casts  map[string]*nodepb.NodeDef // by name
	order  []*nodepb.NodeDef          // the casts in order of creation
}

// choose marks the operations to compute in bfloat16.
func (c *narrowing) choose() error {
	able := make(map[string]bool)
	for _, node := range c.n.Graph.GetNode() {
		op := node.GetOp()
		def := c.defs[op]
		if def == nil {
			return fmt.Errorf("node %q: TensorFlow has no operation %q", node.GetName(), op)
		}
		if wide[op] || op == "Const" || op == "Cast" || controlFlow[op] || c.attrType(node, "T") != tensorflow.Float32 {
			continue
		}
		if _, known := able[op]; !known {
			ok, err := tensorflow.HasKernel(op, "T", tensorflow.BFloat16)
			if err != nil {
				return err
			}
			able[op] = ok
		}
		c.narrow[node.GetName()] = able[op]
	}
	return nil
}

// chooseValues marks the weights and constants used only by narrow nodes.
func (c *narrowing) chooseValues() {
	wanted := make(map[string]bool)
	refused := make(map[string]bool)
	for _, node := range c.n.Graph.GetNode() {
		for i, in := range dataInputs(node) {
			r := mustID(in)
			if c.takes(node, i) == tensorflow.BFloat16 {
				wanted[r.Node] = true
			} else {
				refused[r.Node] = true
			}
		}
	}
	for _, p := range c.n.Outputs {
		refused[mustID(p.Tensor).Node] = true
	}
	for name := range wanted {
		node := c.x.nodes[name]
		if !refused[name] && (node.GetOp() == "Const" || c.weightRead(node) != nil) {
			c.narrow[name] = true
		}
	}
	for _, w := range c.n.Weights {
		c.narrow[w.Name] = c.narrow[w.Name+readSuffix] && len(c.x.consumers[w.Name]) == 1
		c.narrow[w.Name+readSuffix] = c.narrow[w.Name]
	}
}

// weightRead returns the weight that node reads, nil if none.
func (c *narrowing) weightRead(node *nodepb.NodeDef) *Weight {
	if node.GetOp() != "ReadVariableOp" {
		return nil
	}
	w := c.n.Weight(mustID(node.GetInput()[0]).Node)
	if w == nil || w.DataType != tensorflow.Float32 || node.GetName() != w.Name+readSuffix {
		return nil
	}
	return w
}

// takes returns the type of a node's i-th input after the change, 0 if it is
// neither float32 nor bfloat16.
func (c *narrowing) takes(node *nodepb.NodeDef, i int) tensorflow.DataType {
	arg := argument(c.defs[node.GetOp()].GetInputArg(), node, i)
	return c.typeOf(arg, node)
}

// gives returns the type of an output after the change, 0 likewise.
func (c *narrowing) gives(r TensorID) tensorflow.DataType {
	node := c.x.nodes[r.Node]
	if node.GetOp() == "Const" || node.GetOp() == "ReadVariableOp" || node.GetOp() == "Placeholder" {
		switch {
		case attrType(node, "dtype") != tensorflow.Float32:
			return 0
		case c.narrow[r.Node]:
			return tensorflow.BFloat16
		}
		return tensorflow.Float32
	}
	return c.typeOf(argument(c.defs[node.GetOp()].GetOutputArg(), node, r.Port), node)
}

func (c *narrowing) typeOf(arg *opdefpb.OpDef_ArgDef, node *nodepb.NodeDef) tensorflow.DataType {
	switch attr := arg.GetTypeAttr(); {
	case arg == nil:
		return 0
	case attr == "T" && c.narrow[node.GetName()]:
		return tensorflow.BFloat16
	case attr != "" && c.attrType(node, attr) == tensorflow.Float32,
		attr == "" && tensorflow.DataType(arg.GetType()) == tensorflow.Float32:
		return tensorflow.Float32
	}
	return 0
}

// attrType returns the type in an attribute. SavedModels omit attributes with
// default values.
func (c *narrowing) attrType(node *nodepb.NodeDef, name string) tensorflow.DataType {
	if node.GetAttr()[name] != nil {
		return attrType(node, name)
	}
	for _, a := range c.defs[node.GetOp()].GetAttr() {
		if a.GetName() == name {
			return tensorflow.DataType(a.GetDefaultValue().GetType())
		}
	}
	return 0
}

// argument returns the definition of a node's i-th tensor, nil in lists of
// mixed types.
func argument(args []*opdefpb.OpDef_ArgDef, node *nodepb.NodeDef, i int) *opdefpb.OpDef_ArgDef {
	for _, arg := range args {
		n := 1
		if number := arg.GetNumberAttr(); number != "" {
			n = int(node.GetAttr()[number].GetI()) // these have no default
		}
		if arg.GetTypeListAttr() != "" {
			return nil
		}
		if i < n {
			return arg
		}
		i -= n
	}
	return nil
}

// rewrite returns the changed network.
func (c *narrowing) rewrite() (*Network, error) {
	var nodes []*nodepb.NodeDef
	for _, node := range c.n.Graph.GetNode() {
		changed := clone(node)
		for i, in := range dataInputs(node) {
			from, to := c.gives(mustID(in)), c.takes(node, i)
			if from != 0 && to != 0 && from != to {
				changed.Input[i] = c.cast(mustID(in), from, to).String()
			}
		}
		if c.narrow[node.GetName()] {
			if err := lower(changed); err != nil {
				return nil, err
			}
		}
		nodes = append(nodes, changed)
	}
	outputs := slices.Clone(c.n.Outputs)
	for i, p := range outputs {
		if r := mustID(p.Tensor); c.gives(r) == tensorflow.BFloat16 {
			outputs[i].Tensor = c.cast(r, tensorflow.BFloat16, tensorflow.Float32).Name()
		}
	}
	weights := slices.Clone(c.n.Weights)
	for i, w := range weights {
		if c.narrow[w.Name] {
			narrow := *w
			narrow.DataType, narrow.Data = tensorflow.BFloat16, toBFloat16(w.Data)
			weights[i] = &narrow
		}
	}
	return c.n.live(append(nodes, c.order...), c.n.Inputs, outputs, weights), nil
}

// cast returns r in another type.
func (c *narrowing) cast(r TensorID, from, to tensorflow.DataType) TensorID {
	name := fmt.Sprintf("%s/%d/%v", r.Node, r.Port, to)
	if c.casts[name] == nil {
		node := newNode("Cast", c.x.freeName(name), attrs{"SrcT": typeAttr(from), "DstT": typeAttr(to)}, r.String())
		c.x.nodes[node.GetName()] = node
		c.casts[name] = node
		c.order = append(c.order, node)
	}
	return TensorID{c.casts[name].GetName(), 0}
}

// lower makes a node bfloat16.
func lower(node *nodepb.NodeDef) error {
	attr := "T"
	switch node.GetOp() {
	case "VarHandleOp", "ReadVariableOp":
		attr = "dtype"
	case "Const":
		attr = "dtype"
		raw, shape, err := constant(node)
		if err != nil {
			return err
		}
		narrow := ConstNode(node.GetName(), tensorflow.BFloat16, shape, toBFloat16(raw))
		node.Attr["value"] = narrow.Attr["value"]
	}
	node.Attr[attr] = typeAttr(tensorflow.BFloat16)
	return nil
}

// constant returns the values of a float32 constant. Protocol buffers store
// them as bytes, or as numbers of which the last is repeated.
func constant(node *nodepb.NodeDef) (raw []byte, shape []int64, err error) {
	value := node.GetAttr()["value"].GetTensor()
	shape = shapeOf(value.GetTensorShape())
	size, err := byteSize(tensorflow.Float32, shape)
	if err != nil {
		return nil, nil, fmt.Errorf("constant %q: %w", node.GetName(), err)
	}
	if raw := value.GetTensorContent(); int64(len(raw)) == size {
		return raw, shape, nil
	}
	list := value.GetFloatVal()
	if len(value.GetTensorContent()) > 0 || int64(len(list)) > size/4 || size > maxGraph {
		return nil, nil, fmt.Errorf("constant %q does not have the %d bytes of its shape %v", node.GetName(), size, shape)
	}
	raw = make([]byte, 0, size)
	for i := range int(size / 4) {
		var v float32
		if len(list) > 0 {
			v = list[min(i, len(list)-1)]
		}
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return raw, shape, nil
}

// toBFloat16 rounds float32 values to nearest, ties to even. NaN stays NaN.
func toBFloat16(raw []byte) []byte {
	out := make([]byte, 0, len(raw)/2)
	for ; len(raw) >= 4; raw = raw[4:] {
		bits := binary.LittleEndian.Uint32(raw)
		if bits&0x7fffffff > 0x7f800000 {
			bits |= 0x00400000 // rounding could clear a NaN's last bits
		} else {
			bits += 0x7fff + bits>>16&1
		}
		out = binary.LittleEndian.AppendUint16(out, uint16(bits>>16))
	}
	return out
}
