package anymodel

import (
	"fmt"
	"strings"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
)

// An operand is an input of an operation that its kernel does not check: a rank, or
// a value, that the kernel does not expect aborts the process.
type operand struct {
	input int
	// value says that the value matters. Otherwise only the rank does.
	value bool
}

// unchecked lists such operands, by operation.
var unchecked = map[string][]operand{
	"ScatterNd":                          {{input: 0}, {input: 2}},
	"Conv2DBackpropInput":                {{input: 0}},
	"Conv3DBackpropInputV2":              {{input: 0}},
	"DepthwiseConv2dNativeBackpropInput": {{input: 0}},
	"RFFT":                               {{1, true}}, "RFFT2D": {{1, true}}, "RFFT3D": {{1, true}},
	"IRFFT": {{1, true}}, "IRFFT2D": {{1, true}}, "IRFFT3D": {{1, true}},
}

// shapeOps give what a shape is. Their result does not depend on the values of a
// request, and its rank is known.
var shapeOps = map[string]bool{"Shape": true, "ShapeN": true, "Size": true, "Rank": true}

// checkOperands refuses a graph where an unchecked operand is what clients send.
func checkOperands(graph *graphpb.GraphDef) error {
	sent := newSent(graph.GetNode(), nil)
	if err := sent.check(); err != nil {
		return err
	}
	anyRank := false
	for _, n := range graph.GetNode() {
		anyRank = anyRank || n.GetOp() == "Placeholder" && unknownRank(n)
	}
	for _, f := range graph.GetLibrary().GetFunction() {
		arguments := map[string]origin{}
		for _, a := range f.GetSignature().GetInputArg() {
			arguments[a.GetName()] = origin{value: true, rank: anyRank}
		}
		if err := newSent(f.GetNodeDef(), arguments).check(); err != nil {
			return fmt.Errorf("function %q: %w", f.GetSignature().GetName(), err)
		}
	}
	return nil
}

// An origin says what of a tensor clients determine.
type origin struct{ value, rank bool }

// sent finds the origins of the nodes of a graph or a function.
type sent struct {
	nodes   map[string]*nodepb.NodeDef
	ordered []*nodepb.NodeDef
	origins map[string]origin
}

// newSent makes a sent. Arguments are the origins of a function's arguments.
func newSent(nodes []*nodepb.NodeDef, arguments map[string]origin) *sent {
	s := &sent{nodes: make(map[string]*nodepb.NodeDef, len(nodes)), ordered: nodes, origins: map[string]origin{}}
	for name, o := range arguments {
		s.origins[name] = o
	}
	for _, n := range nodes {
		s.nodes[n.GetName()] = n
	}
	return s
}

func (s *sent) check() error {
	for _, n := range s.ordered {
		for _, o := range unchecked[n.GetOp()] {
			if o.input >= len(n.GetInput()) {
				continue
			}
			from := s.of(nodeName(n.GetInput()[o.input]))
			if from.rank || o.value && from.value {
				return fmt.Errorf("node %q is a %s whose input %d clients can choose freely, which can abort the server: "+
					"save the model with a constant there, or with the ranks of the signature's inputs", n.GetName(), n.GetOp(), o.input)
			}
		}
	}
	return nil
}

// of returns the origin of a node's outputs. A stack of its own keeps it from the
// depth of the graph.
func (s *sent) of(name string) origin {
	type frame struct {
		name string
		next int
	}
	stack := []frame{{name: name}}
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		n := s.nodes[f.name]
		if _, known := s.origins[f.name]; known && f.next == 0 || n == nil {
			stack = stack[:len(stack)-1]
			continue
		}
		if f.next == 0 {
			s.origins[f.name] = own(n) // also ends a loop
		}
		if shapeOps[n.GetOp()] || f.next == 2*len(n.GetInput()) {
			stack = stack[:len(stack)-1]
			continue
		}
		input := nodeName(n.GetInput()[f.next/2])
		f.next++
		if f.next%2 == 1 { // first the input itself, then what it says
			stack = append(stack, frame{name: input})
			continue
		}
		o, from := s.origins[f.name], s.origins[input]
		s.origins[f.name] = origin{value: o.value || from.value, rank: o.rank || from.rank}
	}
	return s.origins[name]
}

// own is the origin of a node by itself.
func own(n *nodepb.NodeDef) origin {
	if n.GetOp() != "Placeholder" {
		return origin{}
	}
	return origin{value: true, rank: unknownRank(n)}
}

func unknownRank(n *nodepb.NodeDef) bool {
	shape := n.GetAttr()["shape"].GetShape()
	return shape == nil || shape.GetUnknownRank()
}

// nodeName is the name of the node in a reference such as "^node", "node:1" or
// "node:output:0".
func nodeName(reference string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(reference, "^"), ":")
	return name
}
