package network

import (
	"fmt"
	"slices"
	"strings"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// An Endpoint is a tensor where a network can be cut: every path from the
// inputs to the outputs passes through it.
type Endpoint struct {
	Name   string  // the node's name without redundant scopes, unique in the network
	Tensor string  // "node:0"
	Op     string  // operation that computes it
	Shape  []int64 // without the batch; -1 for an unknown dimension, nil for an unknown rank
	Index  int     // position in the list, from the input
}

// Endpoints lists the useful endpoints, from the input on.
//
// They are the dominators of the outputs, except those that add nothing:
// everything before the first weight; a convolution or batch norm whose
// activation is an endpoint itself; padding and pass-throughs; class
// probabilities. Folding does not change the names. [Network.Cut] also accepts
// tensors that are not listed.
func (n *Network) Endpoints() ([]Endpoint, error) {
	g, err := n.importGraph()
	if err != nil {
		return nil, fmt.Errorf("endpoints: %w", err)
	}
	defer g.Close()
	var list []Endpoint
	for _, p := range n.places() {
		if p.hidden {
			continue
		}
		e, err := p.endpoint(g)
		if err != nil {
			return nil, fmt.Errorf("endpoints: %w", err)
		}
		e.Index = len(list)
		list = append(list, e)
	}
	return list, nil
}

func (p place) endpoint(g *tensorflow.Graph) (Endpoint, error) {
	port, err := describe(g, p.at)
	if err != nil {
		return Endpoint{}, err
	}
	shape := port.Shape
	if len(shape) > 0 {
		shape = shape[1:]
	}
	return Endpoint{Name: p.name, Tensor: port.Tensor, Op: p.op, Shape: shape}, nil
}

// A place is a tensor where the network can be cut.
type place struct {
	at     TensorID
	op     string
	name   string
	hidden bool // not listed
}

// places returns every tensor where the network can be cut, in order.
func (n *Network) places() []place {
	x := newIndex(n.Graph.GetNode())
	order := n.path(x)
	list := dominators(order, n.Outputs)
	n.hide(x, order, list)
	nameAll(list)
	return list
}

// path returns the nodes on the paths from the inputs to the outputs, sorted
// topologically.
func (n *Network) path(x *index) []*nodepb.NodeDef {
	from := x.dependents(tensors(n.Inputs))
	to := x.sources(tensors(n.Outputs))
	return slices.DeleteFunc(topological(n.Graph.GetNode()), func(node *nodepb.NodeDef) bool {
		return !from[node.GetName()] || !to[node.GetName()]
	})
}

// dominators returns the node outputs that all paths pass through.
//
// In a topological order every path passes through a node exactly if no edge
// leads from before it to after it: a path that avoids the node contains such
// an edge, and such an edge lies on a path that avoids the node.
func dominators(order []*nodepb.NodeDef, outputs []TensorInfo) []place {
	position := make(map[string]int, len(order))
	for i, node := range order {
		position[node.GetName()] = i
	}
	used := make(map[string]map[int]bool, len(order)) // node → its outputs used by others on the path
	edges := make([]int, len(order))                  // node → the last node that uses it
	first := len(order)                               // the last input: paths begin at each input
	use := func(r TensorID, by int) bool {
		at, on := position[r.Node]
		if !on {
			return false
		}
		if used[r.Node] == nil {
			used[r.Node] = make(map[int]bool)
		}
		used[r.Node][r.Port] = true
		if at < by {
			edges[at] = max(edges[at], by)
		} else { // the edge closes a loop, which cannot be cut inside
			edges[max(by-1, 0)] = max(edges[max(by-1, 0)], at+1)
		}
		return true
	}
	for i, node := range order {
		fed := false
		for _, in := range dataInputs(node) {
			fed = use(mustID(in), i) || fed
		}
		if !fed {
			first = i
		}
	}
	for _, p := range outputs {
		use(mustID(p.Tensor), len(order))
	}
	var list []place
	reach := 0 // the furthest target of an edge from an earlier node
	for i, node := range order {
		ports := used[node.GetName()]
		if i > first && reach <= i && len(ports) == 1 && !opens[node.GetOp()] {
			for port := range ports {
				list = append(list, place{at: TensorID{node.GetName(), port}, op: node.GetOp()})
			}
		}
		reach = max(reach, edges[i])
	}
	return list
}

// elementwise lists operations that map each value of one tensor: their operand
// is not listed as an endpoint besides their result.
var elementwise = set("Add", "AddV2", "BiasAdd", "ClipByValue", "Elu", "Exp",
	"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "LeakyRelu", "Maximum",
	"Minimum", "Mul", "Neg", "RealDiv", "Relu", "Relu6", "Rsqrt", "Selu", "Sigmoid", "Softplus",
	"Softsign", "Sub", "Tanh", "Erf", "Square", "Sqrt")

// passing lists operations whose result has the same information as their
// operand.
var passing = set("Cast", "CheckNumerics", "EnsureShape", "Identity", "IdentityN", "MirrorPad",
	"NoOp", "Pad", "PadV2", "PlaceholderWithDefault", "PreventGradient", "Snapshot", "StopGradient")

// probability lists operations whose results have less information than their
// operand.
var probability = set("Softmax", "LogSoftmax")

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}

// hide marks the places that are not listed.
func (n *Network) hide(x *index, order []*nodepb.NodeDef, list []place) {
	position := make(map[string]int, len(order))
	for i, node := range order {
		position[node.GetName()] = i
	}
	learned := n.learned(x)
	last := -1 // the last listed place
	for i := range list {
		p := &list[i]
		if p.hidden = !learned[p.at.Node] || passing[p.op] || probability[p.op]; p.hidden {
			continue
		}
		if last >= 0 {
			between := order[position[list[last].at.Node]+1 : position[p.at.Node]+1]
			list[last].hidden = !slices.ContainsFunc(between, func(node *nodepb.NodeDef) bool {
				return !elementwise[node.GetOp()] && !passing[node.GetOp()]
			})
		}
		last = i
	}
}

// learned returns the nodes that depend on a weight, or on a constant shaped
// like one.
func (n *Network) learned(x *index) map[string]bool { return x.dependents(n.weightNodes()) }

// weightNodes returns the nodes that are weights, or constants shaped like ones.
func (n *Network) weightNodes() []string {
	var weights []string
	for _, node := range n.Graph.GetNode() {
		switch node.GetOp() {
		case "VarHandleOp":
			weights = append(weights, node.GetName())
		case "Const":
			value := node.GetAttr()["value"].GetTensor()
			if attrType(node, "dtype") == tensorflow.Float32 && len(value.GetTensorShape().GetDim()) > 1 {
				weights = append(weights, node.GetName())
			}
		}
	}
	return weights
}

// resolve finds a tensor by the name of an endpoint, a node or the tensor.
func (n *Network) resolve(name string) (TensorID, error) {
	places := n.places()
	for _, p := range places {
		if p.name == name {
			return p.at, nil
		}
	}
	at, err := ParseTensorID(name)
	if err == nil && at.Port != Control {
		for _, node := range n.Graph.GetNode() {
			if node.GetName() == at.Node {
				return at, nil
			}
		}
	}
	var names []string
	for _, p := range places {
		if !p.hidden {
			names = append(names, p.name)
		}
	}
	return TensorID{}, fmt.Errorf("no endpoint, node or tensor has that name; similar names are %s", strings.Join(nearest(name, names, 5), ", "))
}
