package network

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// maxRank is TensorFlow's limit on a tensor's rank.
const maxRank = 254

// nodeName matches the node names that TensorFlow accepts.
var nodeName = regexp.MustCompile(`^[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*$`)

// MaxName bounds the length of a node's name, which errors and endpoints
// repeat.
const MaxName = 4096

// Validate returns the first violation of the plain form:
//
//   - the graph has no functions, its node names are unique and well formed,
//     inputs refer to nodes of the graph, and only a NextIteration closes a
//     cycle;
//   - every VarHandleOp belongs to a weight and every weight has its handle and
//     its ReadVariableOp, with matching type, shape and number of
//     bytes; weights are sorted by name;
//   - every other node has a pure operation, as checked by
//     [CheckOperation], and requests no device or kernel;
//   - constants have values of a fixed size; those that repeat a value take at
//     most a gigabyte in total;
//   - inputs are Placeholders, every Placeholder is an input and none is an output,
//     names of inputs and outputs are unique, and their tensors are in the graph.
//
// The types of operations are checked by TensorFlow when the network is loaded.
func (n *Network) Validate() error {
	if n.Graph == nil {
		return errors.New("network has no graph")
	}
	if f := n.Graph.GetLibrary().GetFunction(); len(f) > 0 {
		return fmt.Errorf("network has %d functions, such as %q: inline them first", len(f), f[0].GetSignature().GetName())
	}
	nodes, err := checkNodes(n.Graph.GetNode())
	if err != nil {
		return err
	}
	if err := checkRepeated(n.Graph.GetNode()); err != nil {
		return err
	}
	if err := n.checkWeights(nodes); err != nil {
		return err
	}
	if err := n.checkPorts(nodes); err != nil {
		return err
	}
	return checkAcyclic(n.Graph.GetNode(), nodes)
}

func checkNodes(list []*nodepb.NodeDef) (map[string]*nodepb.NodeDef, error) {
	nodes := make(map[string]*nodepb.NodeDef, len(list))
	for i, node := range list {
		name := node.GetName()
		switch {
		case len(name) > MaxName:
			return nil, fmt.Errorf("node %d has a name of %d bytes, more than the allowed %d", i, len(name), MaxName)
		case !nodeName.MatchString(name):
			return nil, fmt.Errorf("node %d has the malformed name %q", i, name)
		case nodes[name] != nil:
			return nil, fmt.Errorf("two nodes are named %q", name)
		case node.GetOp() == "":
			return nil, fmt.Errorf("node %q has no operation", name)
		case node.GetDevice() != "":
			return nil, fmt.Errorf("node %q requests the device %q, which is not allowed in a network", name, node.GetDevice())
		}
		if err := CheckOperation(node); err != nil {
			return nil, err
		}
		if err := checkConstant(node); err != nil {
			return nil, err
		}
		for _, attr := range slices.Sorted(maps.Keys(node.GetAttr())) {
			if strings.HasPrefix(attr, "_") {
				return nil, fmt.Errorf("node %q has the attribute %q, which is not allowed in a network", name, attr)
			}
		}
		nodes[name] = node
	}
	for _, node := range list {
		controls := false
		for _, in := range node.GetInput() {
			r, err := ParseTensorID(in)
			if err != nil {
				return nil, fmt.Errorf("node %q: %w", node.GetName(), err)
			}
			if nodes[r.Node] == nil {
				return nil, fmt.Errorf("node %q takes %q, which is not in the graph", node.GetName(), in)
			}
			if controls && r.Port != Control {
				return nil, fmt.Errorf("node %q has the input %q after a control input", node.GetName(), in)
			}
			controls = controls || r.Port == Control
		}
	}
	return nodes, nil
}

func (n *Network) checkWeights(nodes map[string]*nodepb.NodeDef) error {
	for i, w := range n.Weights {
		if w == nil {
			return fmt.Errorf("weight %d is nil", i)
		}
		if i > 0 && n.Weights[i-1].Name >= w.Name {
			return fmt.Errorf("weights %q and %q are out of order or the same", n.Weights[i-1].Name, w.Name)
		}
		size, err := byteSize(w.DataType, w.Shape)
		if err != nil {
			return fmt.Errorf("weight %q: %w", w.Name, err)
		}
		if int64(len(w.Data)) != size {
			return fmt.Errorf("weight %q has %d bytes, its shape %v of %v needs %d", w.Name, len(w.Data), w.Shape, w.DataType, size)
		}
		handle, read := nodes[w.Name], nodes[w.Name+readSuffix]
		if handle.GetOp() != "VarHandleOp" {
			return fmt.Errorf("weight %q has no VarHandleOp of its name in the graph", w.Name)
		}
		if dt := attrType(handle, "dtype"); dt != w.DataType {
			return fmt.Errorf("weight %q is %v, its VarHandleOp says %v", w.Name, w.DataType, dt)
		}
		if s := shapeOf(handle.GetAttr()["shape"].GetShape()); !slices.Equal(s, w.Shape) || s == nil {
			return fmt.Errorf("weight %q has shape %v, its VarHandleOp says %v", w.Name, w.Shape, s)
		}
		if s := attrString(handle, "shared_name", ""); s != w.Name {
			return fmt.Errorf("weight %q has the shared_name %q, want its own name", w.Name, s)
		}
		if s := attrString(handle, "container", ""); s != "" {
			return fmt.Errorf("weight %q is in the container %q, want none", w.Name, s)
		}
		if read.GetOp() != "ReadVariableOp" || len(read.GetInput()) == 0 || strings.TrimSuffix(read.GetInput()[0], ":0") != w.Name {
			return fmt.Errorf("weight %q has no ReadVariableOp %q in the graph", w.Name, w.Name+readSuffix)
		}
		if dt := attrType(read, "dtype"); dt != w.DataType {
			return fmt.Errorf("weight %q is %v, its ReadVariableOp says %v", w.Name, w.DataType, dt)
		}
	}
	for _, node := range n.Graph.GetNode() {
		if node.GetOp() == "VarHandleOp" && n.Weight(node.GetName()) == nil {
			return fmt.Errorf("variable %q has no weight", node.GetName())
		}
	}
	return nil
}

func (n *Network) checkPorts(nodes map[string]*nodepb.NodeDef) error {
	if len(n.Outputs) == 0 {
		return errors.New("network has no outputs")
	}
	fed := make(map[string]bool)
	for _, kind := range []struct {
		name  string
		infos []TensorInfo
	}{{"input", n.Inputs}, {"output", n.Outputs}} {
		names := make(map[string]bool)
		for _, p := range kind.infos {
			r, err := ParseTensorID(p.Tensor)
			if err != nil {
				return fmt.Errorf("%s %q: %w", kind.name, p.Name, err)
			}
			switch node := nodes[r.Node]; {
			case p.Name == "" || names[p.Name]:
				return fmt.Errorf("%s name %q is empty or used twice", kind.name, p.Name)
			case r.Port == Control || p.Tensor != r.Name():
				return fmt.Errorf("%s %q: tensor %q is not of the form \"node:0\"", kind.name, p.Name, p.Tensor)
			case node == nil:
				return fmt.Errorf("%s %q is the tensor %q, which is not in the graph", kind.name, p.Name, p.Tensor)
			case p.DataType <= 0:
				return fmt.Errorf("%s %q has no data type", kind.name, p.Name)
			case kind.name == "output" && node.GetOp() == "Placeholder":
				return fmt.Errorf("output %q is the input %q itself, which TensorFlow does not fetch: put an Identity between", p.Name, p.Tensor)
			case kind.name == "input" && (node.GetOp() != "Placeholder" || r.Port != 0 || fed[r.Node]):
				return fmt.Errorf("input %q is the tensor %q of a %s, want a Placeholder of its own", p.Name, p.Tensor, node.GetOp())
			case kind.name == "input" && attrType(node, "dtype") != p.DataType:
				return fmt.Errorf("input %q is %v, its Placeholder says %v", p.Name, p.DataType, attrType(node, "dtype"))
			}
			if len(p.Shape) > maxRank {
				return fmt.Errorf("%s %q has %d dimensions, more than the allowed %d", kind.name, p.Name, len(p.Shape), maxRank)
			}
			if slices.ContainsFunc(p.Shape, func(d int64) bool { return d < -1 }) {
				return fmt.Errorf("%s %q has the invalid shape %v", kind.name, p.Name, p.Shape)
			}
			names[p.Name] = true
			if kind.name == "input" {
				fed[r.Node] = true
			}
		}
	}
	for _, node := range n.Graph.GetNode() {
		if node.GetOp() == "Placeholder" && !fed[node.GetName()] {
			return fmt.Errorf("placeholder %q is not an input", node.GetName())
		}
	}
	return nil
}

// checkAcyclic sorts the graph topologically (Kahn 1962). A NextIteration may
// close a loop; its edge into Merge is ignored, as in TensorFlow.
func checkAcyclic(list []*nodepb.NodeDef, nodes map[string]*nodepb.NodeDef) error {
	waits := make(map[string]int, len(list))
	consumers := make(map[string][]string, len(list))
	var ready []string
	for _, node := range list {
		for _, in := range node.GetInput() {
			from := nodes[mustID(in).Node]
			if from.GetOp() == "NextIteration" {
				continue
			}
			waits[node.GetName()]++
			consumers[from.GetName()] = append(consumers[from.GetName()], node.GetName())
		}
		if waits[node.GetName()] == 0 {
			ready = append(ready, node.GetName())
		}
	}
	sorted := 0
	for ; len(ready) > 0; sorted++ {
		name := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, c := range consumers[name] {
			if waits[c]--; waits[c] == 0 {
				ready = append(ready, c)
			}
		}
	}
	if sorted == len(list) {
		return nil
	}
	for _, node := range list {
		if waits[node.GetName()] > 0 {
			return fmt.Errorf("the graph has a cycle, through or before node %q", node.GetName())
		}
	}
	return nil
}

// byteSize returns the bytes needed by a tensor of fixed shape.
func byteSize(dt tensorflow.DataType, shape []int64) (int64, error) {
	size := int64(dt.Size())
	if size <= 0 {
		return 0, fmt.Errorf("values of %v have no fixed size", dt)
	}
	if shape == nil || len(shape) > maxRank {
		return 0, fmt.Errorf("shape %v has an unknown or too high rank", shape)
	}
	empty := slices.Contains(shape, 0)
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has an unknown dimension", shape)
		}
		if !empty && d > math.MaxInt64/size {
			return 0, fmt.Errorf("shape %v overflows", shape)
		}
		if !empty {
			size *= d
		}
	}
	if empty {
		return 0, nil
	}
	return size, nil
}
