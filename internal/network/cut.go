package network

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
)

// bottleneck is the name of the tensor where a trunk ends and a head begins.
const bottleneck = "bottleneck"

// endpointInput is the input's name of the rest of a network whose trunk pools
// the endpoint: its input is the endpoint before pooling.
const endpointInput = "endpoint"

// A Cut is a place where a network can be divided into trunk and head.
type Cut struct {
	// Endpoint is its name in [Network.Endpoints], its node or its tensor
	// ("node:0").
	Endpoint string `json:"endpoint"`
	// Pool turns the endpoint into the bottleneck.
	Pool Pool `json:"pool,omitempty"`
}

// ParseCut parses "ENDPOINT" or "ENDPOINT:POOL".
func ParseCut(s string) (Cut, error) {
	endpoint, pool, _ := strings.Cut(s, ":")
	c := Cut{Endpoint: endpoint, Pool: Pool(pool)}
	if endpoint == "" || !slices.Contains(pools(), c.Pool) {
		return Cut{}, fmt.Errorf("cut %q: want ENDPOINT or ENDPOINT:POOL, where POOL is one of %v", s, pools()[1:])
	}
	return c, nil
}

// String returns the form that [ParseCut] parses.
func (c Cut) String() string {
	if c.Pool == PoolNone {
		return c.Endpoint
	}
	return c.Endpoint + ":" + string(c.Pool)
}

// ErrNotACut is wrapped by the errors of [Network.Cut] for a tensor that does
// not lie on every path from the inputs to the outputs.
var ErrNotACut = errors.New("the network cannot be cut there")

// Cut divides the network at an endpoint, given by its name in
// [Network.Endpoints] or by its node or tensor ("node:0").
//
// The trunk goes from the inputs to the endpoint. Its only output,
// "bottleneck", is the pooled endpoint. The rest goes from the unpooled
// endpoint to the outputs. Its only input is "bottleneck", or "endpoint" if the
// trunk pools. Without pooling, Join(trunk, rest) computes the same as the
// network.
func (n *Network) Cut(endpoint string, pool Pool) (trunk, rest *Network, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cut at %q: %w", endpoint, err)
		}
	}()
	at, err := n.resolve(endpoint)
	if err != nil {
		return nil, nil, err
	}
	port, err := n.describe(at)
	if err != nil {
		return nil, nil, err
	}
	rest, err = n.after(at, port, pool)
	if err != nil {
		return nil, nil, err
	}
	trunk, err = n.before(at, port, pool)
	if err != nil {
		return nil, nil, errors.Join(err, rest.Close())
	}
	return trunk, rest, nil
}

// before returns the trunk.
func (n *Network) before(at TensorID, port TensorInfo, pool Pool) (*Network, error) {
	nodes, out, err := n.pool(n.Graph.GetNode(), at, port, pool)
	if err != nil {
		return nil, err
	}
	return n.live(slices.Concat(n.Graph.GetNode(), nodes), n.Inputs, []TensorInfo{out}, n.Weights), nil
}

// after returns the rest.
func (n *Network) after(at TensorID, port TensorInfo, pool Pool) (*Network, error) {
	x := newIndex(n.Graph.GetNode())
	trunk := x.ancestors([]string{at.Name()})
	for _, p := range n.Inputs {
		if mustID(p.Tensor) == at {
			return nil, fmt.Errorf("%w: it is the input %q", ErrNotACut, p.Name)
		}
	}
	if opens[x.nodes[at.Node].GetOp()] || x.looping(at.Node) {
		return nil, fmt.Errorf("%w: it is inside a loop or a branch", ErrNotACut)
	}
	port.Name = bottleneck
	if pool != PoolNone {
		port.Name = endpointInput
	}
	start := TensorID{x.freeName(port.Name), 0}
	port.Tensor = start.Name()

	nodes := withoutControls(n.Graph.GetNode(), trunk)
	nodes = rewire(nodes, map[TensorID]TensorID{at: start})
	nodes = append(nodes, PlaceholderNode(start.Node, port.DataType, port.Shape))
	outputs := slices.Clone(n.Outputs)
	for i, p := range outputs {
		if mustID(p.Tensor) == at { // TensorFlow cannot fetch a tensor that it is fed
			same := newNode("Identity", x.freeName(start.Node+"/identity"), attrs{"T": typeAttr(port.DataType)}, start.Node)
			nodes = append(nodes, same)
			outputs[i].Tensor = TensorID{same.GetName(), 0}.Name()
		}
	}
	rest := n.live(nodes, append(slices.Clone(n.Inputs), port), outputs, n.Weights)
	for _, p := range rest.Inputs {
		if p.Name != port.Name || p.Tensor != port.Tensor {
			return nil, fmt.Errorf("%w: a path from the input %q to the outputs bypasses it; list the endpoints, or prune the outputs that need the input", ErrNotACut, p.Name)
		}
	}
	if len(rest.Inputs) == 0 {
		return nil, fmt.Errorf("%w: no output depends on it", ErrNotACut)
	}
	return rest, nil
}

// opens lists the operations that begin a loop or a branch.
var opens = set("Enter", "RefEnter", "Switch", "RefSwitch", "_SwitchN", "NextIteration", "RefNextIteration")

// looping reports whether a node depends on itself through a NextIteration.
func (x *index) looping(name string) bool {
	return x.dependents(x.consumers[name])[name]
}

// withoutControls drops control edges from the nodes in from: the data edges
// from them imply that they have run.
func withoutControls(nodes []*nodepb.NodeDef, from map[string]bool) []*nodepb.NodeDef {
	out := slices.Clone(nodes)
	for i, node := range out {
		gone := func(in string) bool {
			r := mustID(in)
			return r.Port == Control && from[r.Node]
		}
		if slices.ContainsFunc(node.GetInput(), gone) {
			node = clone(node)
			node.Input = slices.DeleteFunc(node.Input, gone)
			out[i] = node
		}
	}
	return out
}
