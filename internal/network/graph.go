package network

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/tensorflow"
)

// A TensorID is the source of an edge of a graph: an output of a node, or, with
// the port [Control], the node's execution.
type TensorID struct {
	Node string
	Port int
}

// Control is the port of a control edge, written "^node".
const Control = -1

// Output returns the ID of an output of a node.
func Output(node string, port int) TensorID { return TensorID{Node: node, Port: port} }

// ParseTensorID parses an input of a node: "node", "node:1" or "^node".
func ParseTensorID(s string) (TensorID, error) {
	if name, ok := strings.CutPrefix(s, "^"); ok {
		if name == "" || strings.Contains(name, ":") {
			return TensorID{}, fmt.Errorf("malformed tensor name %q", s)
		}
		return TensorID{name, Control}, nil
	}
	name, digits, ok := strings.Cut(s, ":")
	if name == "" {
		return TensorID{}, fmt.Errorf("malformed tensor name %q", s)
	}
	if !ok {
		return TensorID{name, 0}, nil
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || (len(digits) > 1 && digits[0] == '0') {
		return TensorID{}, fmt.Errorf("malformed tensor name %q", s)
	}
	return TensorID{name, int(port)}, nil
}

// mustID parses an input of a validated graph.
func mustID(s string) TensorID {
	id, err := ParseTensorID(s)
	if err != nil {
		panic(err)
	}
	return id
}

// String formats t as an input in a graph: without ":0".
func (t TensorID) String() string {
	switch t.Port {
	case Control:
		return "^" + t.Node
	case 0:
		return t.Node
	}
	return t.Node + ":" + strconv.Itoa(t.Port)
}

// Name formats t as in a [TensorInfo]: always with its number.
func (t TensorID) Name() string { return t.Node + ":" + strconv.Itoa(t.Port) }

// An index finds nodes by name and by consumption. It describes the graph when
// it was made and does not follow changes.
type index struct {
	nodes     map[string]*nodepb.NodeDef
	consumers map[string][]string // node → nodes that use any of its outputs as data
	numbers   map[string]int      // the last number that freeName used for a base
	names     []string            // sorted, after the first freeScope
	scopes    map[string]bool     // returned by freeScope
}

func newIndex(nodes []*nodepb.NodeDef) *index {
	x := &index{
		nodes:     make(map[string]*nodepb.NodeDef, len(nodes)),
		consumers: make(map[string][]string, len(nodes)),
		numbers:   make(map[string]int),
		scopes:    make(map[string]bool),
	}
	for _, node := range nodes {
		x.nodes[node.GetName()] = node
		for _, in := range dataInputs(node) {
			from := mustID(in).Node
			x.consumers[from] = append(x.consumers[from], node.GetName())
		}
	}
	return x
}

// ancestors returns the nodes that the tensors need, their own included.
func (x *index) ancestors(tensors []string) map[string]bool {
	return reach(tensors, func(name string) []string { return x.nodes[name].GetInput() })
}

// sources returns the nodes whose data the tensors depend on, their own
// included.
func (x *index) sources(tensors []string) map[string]bool {
	return reach(tensors, func(name string) []string { return dataInputs(x.nodes[name]) })
}

// dependents returns the nodes that depend on the tensors' data, their own
// included.
func (x *index) dependents(tensors []string) map[string]bool {
	return reach(tensors, func(name string) []string { return x.consumers[name] })
}

// reach returns the nodes reachable from the tensors through next.
func reach(tensors []string, next func(name string) []string) map[string]bool {
	seen := make(map[string]bool)
	stack := slices.Clone(tensors)
	for len(stack) > 0 {
		name := mustID(stack[len(stack)-1]).Node
		stack = stack[:len(stack)-1]
		if !seen[name] {
			seen[name] = true
			stack = append(stack, next(name)...)
		}
	}
	return seen
}

// dataInputs returns a node's inputs without the control edges, which come
// last.
func dataInputs(node *nodepb.NodeDef) []string {
	in := node.GetInput()
	for i, s := range in {
		if strings.HasPrefix(s, "^") {
			return in[:i]
		}
	}
	return in
}

// rewire returns the nodes with the edges from redirect's keys replaced by
// edges from its values. Changed nodes are copies.
func rewire(nodes []*nodepb.NodeDef, redirect map[TensorID]TensorID) []*nodepb.NodeDef {
	out := slices.Clone(nodes)
	for i, node := range out {
		copied := false
		for j, in := range node.GetInput() {
			to, ok := redirect[mustID(in)]
			if !ok {
				continue
			}
			if !copied {
				node, copied = clone(node), true
				out[i] = node
			}
			node.Input[j] = to.String()
		}
	}
	return out
}

// freeName returns base, or base with the lowest number that no node has.
func (x *index) freeName(base string) string {
	if x.nodes[base] == nil {
		return base
	}
	for { // continue after the last number: names stay reserved
		name := base + "_" + strconv.Itoa(x.numbers[base]+1)
		if x.nodes[name] == nil {
			return name
		}
		x.numbers[base]++
	}
}

// freeScope returns base, or base with the lowest number, as a scope that
// contains no node and was not returned before.
func (x *index) freeScope(base string) string {
	if x.names == nil {
		x.names = slices.Sorted(maps.Keys(x.nodes))
	}
	for i, scope := 1, base; ; i++ {
		at, taken := slices.BinarySearch(x.names, scope+"/")
		below := at < len(x.names) && strings.HasPrefix(x.names[at], scope+"/")
		if !taken && !below && x.nodes[scope] == nil && !x.scopes[scope] {
			x.scopes[scope] = true
			return scope
		}
		scope = base + "_" + strconv.Itoa(i)
	}
}

// clone copies a node so that it can be changed.
func clone(node *nodepb.NodeDef) *nodepb.NodeDef {
	return proto.Clone(node).(*nodepb.NodeDef)
}

// withVersions returns a graph of the nodes with the same producer version,
// which decides how TensorFlow interprets them.
func withVersions(g *graphpb.GraphDef, nodes []*nodepb.NodeDef) *graphpb.GraphDef {
	return &graphpb.GraphDef{Node: nodes, Versions: g.GetVersions()}
}

// typeAttr returns the attribute holding dt.
func typeAttr(dt tensorflow.DataType) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType(dt)}}
}

// shapeAttr returns the attribute holding shape; nil is the unknown rank.
func shapeAttr(shape []int64) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: shapeProto(shape)}}
}

// stringAttr returns the attribute holding s.
func stringAttr(s string) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(s)}}
}

// topological returns the nodes sorted so that each follows its data inputs,
// ignoring the edge that closes a loop. It does not recurse, because an
// imported graph may be one long chain.
func topological(nodes []*nodepb.NodeDef) []*nodepb.NodeDef {
	x := newIndex(nodes)
	order := make([]*nodepb.NodeDef, 0, len(nodes))
	met := make(map[string]bool, len(nodes))
	type visit struct {
		node *nodepb.NodeDef
		left []string // inputs still to be visited
	}
	var stack []visit
	enter := func(node *nodepb.NodeDef) {
		if !met[node.GetName()] {
			met[node.GetName()] = true
			stack = append(stack, visit{node, dataInputs(node)})
		}
	}
	for _, node := range nodes {
		enter(node)
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.left) == 0 {
				order = append(order, top.node)
				stack = stack[:len(stack)-1]
				continue
			}
			next := mustID(top.left[0]).Node
			top.left = top.left[1:]
			enter(x.nodes[next])
		}
	}
	return order
}
