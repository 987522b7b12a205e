package network

import (
	"bytes"
	"fmt"
	"slices"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	versionspb "github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"
	"google.golang.org/protobuf/proto"
)

// Join returns head(trunk(x)) as one network: the trunk's only output feeds the
// head's only input. Constants and weights of the same name that are equal in
// both are merged. If other names clash, the head's nodes and weights move
// under "head/".
func Join(trunk, head *Network) (*Network, error) {
	out, err := trunk.Output("")
	if err != nil {
		return nil, fmt.Errorf("join: trunk: %w", err)
	}
	in, err := head.Input("")
	if err != nil {
		return nil, fmt.Errorf("join: head: %w", err)
	}
	if out.DataType != in.DataType || !compatible(out.Shape, in.Shape) {
		return nil, fmt.Errorf("join: the trunk's output is %v %v, the head's input is %v %v", out.DataType, out.Shape, in.DataType, in.Shape)
	}

	from, to := mustID(out.Tensor), mustID(in.Tensor)
	same := common(trunk, head)
	rename := headNames(trunk, head, to.Node, same)
	var moved []*nodepb.NodeDef
	for _, node := range head.Graph.GetNode() {
		if name := node.GetName(); !same[name] && name != to.Node {
			moved = append(moved, renamed(node, rename))
		}
	}
	// Only the head's edges: the trunk may have a node with the name of the head's input.
	entry := rename(to.Node)
	redirect := map[TensorID]TensorID{{entry, 0}: from, {entry, Control}: {from.Node, Control}}
	nodes := append(slices.Clone(trunk.Graph.GetNode()), rewire(moved, redirect)...)

	outputs := slices.Clone(head.Outputs)
	for i, p := range outputs {
		r := mustID(p.Tensor)
		r.Node = rename(r.Node)
		if r.Node == entry {
			r = from
		}
		outputs[i].Tensor = r.Name()
	}
	weights := slices.Clone(trunk.Weights)
	for _, w := range head.Weights {
		if !same[w.Name] {
			moved := *w
			moved.Name = rename(w.Name)
			weights = append(weights, &moved)
		}
	}
	joined := trunk.live(nodes, trunk.Inputs, outputs, weights)
	joined.Graph.Versions = older(trunk.Graph.GetVersions(), head.Graph.GetVersions())
	for _, m := range head.mapped {
		joined.mapped = append(joined.mapped, m.retain())
	}
	return joined, nil
}

// headNames returns how the head's nodes are named in the joined network: as they
// are, or below a scope of their own if one has the name of a node of the trunk
// and another value. entry is the head's input.
func headNames(trunk, head *Network, entry string, same map[string]bool) func(string) string {
	taken := newIndex(trunk.Graph.GetNode())
	for _, node := range head.Graph.GetNode() {
		name := node.GetName()
		if taken.nodes[name] == nil || same[name] || name == entry {
			continue
		}
		scope := taken.freeScope("head")
		return func(name string) string {
			if same[name] {
				return name
			}
			return scope + "/" + name
		}
	}
	return func(name string) string { return name }
}

// common returns the names of nodes with the same value in both: equal
// constants, and the nodes of equal weights.
func common(a, b *Network) map[string]bool {
	same := make(map[string]bool)
	x := newIndex(a.Graph.GetNode())
	for _, node := range b.Graph.GetNode() {
		if node.GetOp() == "Const" && proto.Equal(node, x.nodes[node.GetName()]) {
			same[node.GetName()] = true
		}
	}
	for _, w := range b.Weights {
		v := a.Weight(w.Name)
		if v != nil && v.DataType == w.DataType && slices.Equal(v.Shape, w.Shape) && bytes.Equal(v.Data, w.Data) {
			same[w.Name], same[w.Name+readSuffix] = true, true
		}
	}
	return same
}

// renamed returns a copy of node with its name and references renamed.
func renamed(node *nodepb.NodeDef, rename func(string) string) *nodepb.NodeDef {
	node = clone(node)
	if node.GetOp() == "VarHandleOp" {
		node.Attr["shared_name"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(rename(node.GetName()))}}
	}
	node.Name = rename(node.Name)
	for i, in := range node.Input {
		r := mustID(in)
		r.Node = rename(r.Node)
		node.Input[i] = r.String()
	}
	return node
}

// older returns the lower of two producer versions: TensorFlow refuses
// operations withdrawn before a graph's version, but not those withdrawn later.
// A graph without versions is ignored.
func older(a, b *versionspb.VersionDef) *versionspb.VersionDef {
	if a.GetProducer() == 0 || b.GetProducer() != 0 && b.GetProducer() < a.GetProducer() {
		return b
	}
	return a
}

// compatible reports whether a tensor can have both shapes.
func compatible(a, b []int64) bool {
	if a == nil || b == nil {
		return true
	}
	return slices.EqualFunc(a, b, func(x, y int64) bool { return x == y || x < 0 || y < 0 })
}
