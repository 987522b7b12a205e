package signatures

import (
	"fmt"
	"slices"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/savedmodel"
)

// An operand is an input of an operation that its kernel does not check. An
// unexpected rank or value aborts the process.
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

// shapeOps lists the operations that return a shape. Their results do not depend
// on the values of a request, and have a known rank.
var shapeOps = map[string]bool{"Shape": true, "ShapeN": true, "Size": true, "Rank": true}

// checkOperands refuses a graph in which clients determine an unchecked operand.
func checkOperands(graph *graphpb.GraphDef) error {
	var inputs, ofAnyRank []string
	for _, n := range graph.GetNode() {
		if n.GetOp() != "Placeholder" {
			continue
		}
		inputs = append(inputs, n.GetName())
		if unknownRank(n) {
			ofAnyRank = append(ofAnyRank, n.GetName())
		}
	}
	if err := checkNodes(graph.GetNode(), inputs, ofAnyRank); err != nil {
		return err
	}
	for _, f := range graph.GetLibrary().GetFunction() {
		var arguments, argumentsOfAnyRank []string
		for _, a := range f.GetSignature().GetInputArg() {
			arguments = append(arguments, a.GetName())
		}
		if len(ofAnyRank) > 0 {
			argumentsOfAnyRank = arguments
		}
		if err := checkNodes(f.GetNodeDef(), arguments, argumentsOfAnyRank); err != nil {
			return fmt.Errorf("function %q: %w", f.GetSignature().GetName(), err)
		}
	}
	return nil
}

// checkNodes refuses nodes with an unchecked operand that depends on the value of an
// input, or on one of any rank.
func checkNodes(nodes []*nodepb.NodeDef, inputs, ofAnyRank []string) error {
	values, ranks := dependents(nodes, inputs), dependents(nodes, ofAnyRank)
	for _, n := range nodes {
		for _, o := range unchecked[n.GetOp()] {
			if o.input >= len(n.GetInput()) {
				continue
			}
			from := savedmodel.NodeName(n.GetInput()[o.input])
			if ranks[from] || o.value && values[from] {
				return fmt.Errorf("node %q is a %s whose input %d clients can choose freely, which can abort the server: "+
					"save the model with a constant there, or with the ranks of the signature's inputs", n.GetName(), n.GetOp(), o.input)
			}
		}
	}
	return nil
}

// dependents returns the given nodes and all nodes that depend on more than
// their shapes.
func dependents(nodes []*nodepb.NodeDef, names []string) map[string]bool {
	consumers := map[string][]string{}
	for _, n := range nodes {
		if shapeOps[n.GetOp()] {
			continue
		}
		for _, in := range n.GetInput() {
			consumers[savedmodel.NodeName(in)] = append(consumers[savedmodel.NodeName(in)], n.GetName())
		}
	}
	found := map[string]bool{}
	for next := slices.Clone(names); len(next) > 0; {
		name := next[len(next)-1]
		next = next[:len(next)-1]
		if !found[name] {
			found[name] = true
			next = append(next, consumers[name]...)
		}
	}
	return found
}

func unknownRank(n *nodepb.NodeDef) bool {
	shape := n.GetAttr()["shape"].GetShape()
	return shape == nil || shape.GetUnknownRank()
}
