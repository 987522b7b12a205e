package savedmodel

import (
	"fmt"
	"strconv"
	"strings"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
)

// An edge is an output of a node, or, with the port control, the fact that the
// node has run.
type edge struct {
	node string
	port int
}

const control = -1

// parseEdge reads a node's input in a graph: "node", "node:1" or "^node".
func parseEdge(s string) (edge, error) {
	if name, ok := strings.CutPrefix(s, "^"); ok {
		return edge{name, control}, nil
	}
	name, digits, ok := strings.Cut(s, ":")
	if !ok {
		return edge{s, 0}, nil
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || name == "" {
		return edge{}, fmt.Errorf("malformed tensor name %q", s)
	}
	return edge{name, int(port)}, nil
}

// String writes the edge as a node's input.
func (e edge) String() string {
	switch e.port {
	case control:
		return "^" + e.node
	case 0:
		return e.node
	}
	return e.tensor()
}

// tensor writes the edge as a port's tensor.
func (e edge) tensor() string { return e.node + ":" + strconv.Itoa(e.port) }

// A graph is nodes by name, some of which are stood in for by others: the
// outputs of an inlined call by tensors of the function's body.
type graph struct {
	nodes   map[string]*nodepb.NodeDef
	outputs map[edge]edge       // what a tensor is replaced by; may chain
	ends    map[string][]string // what "^node" stands for when the node is gone
}

func newGraph(nodes []*nodepb.NodeDef) (*graph, error) {
	g := &graph{
		nodes:   make(map[string]*nodepb.NodeDef, len(nodes)),
		outputs: map[edge]edge{},
		ends:    map[string][]string{},
	}
	for _, n := range nodes {
		if g.nodes[n.GetName()] != nil {
			return nil, fmt.Errorf("two nodes are named %q", n.GetName())
		}
		g.nodes[n.GetName()] = n
	}
	return g, nil
}

// free returns the first of the names that no node has or had, numbering the
// last one if need be.
func (g *graph) free(names ...string) string {
	taken := func(name string) bool {
		_, gone := g.ends[name]
		return g.nodes[name] != nil || gone
	}
	for _, name := range names {
		if !taken(name) {
			return name
		}
	}
	last := names[len(names)-1]
	for i := 1; ; i++ {
		if name := last + "_" + strconv.Itoa(i); !taken(name) {
			return name
		}
	}
}

// resolve follows replacements of a tensor to a node that is there.
func (g *graph) resolve(e edge) (edge, error) {
	at := e
	for range len(g.outputs) + 1 {
		next, ok := g.outputs[at]
		if !ok {
			if g.nodes[at.node] == nil {
				return edge{}, fmt.Errorf("there is no tensor %q", e)
			}
			return at, nil
		}
		at = next
	}
	return edge{}, fmt.Errorf("tensor %q depends on itself", e)
}

// inputs returns a node's inputs with replacements followed; a control input
// may stand for several or none.
func (g *graph) inputs(n *nodepb.NodeDef) ([]edge, error) {
	data := make([]edge, 0, len(n.GetInput()))
	var controls []edge
	seen := map[string]bool{}
	for _, in := range n.GetInput() {
		e, err := parseEdge(in)
		if err != nil {
			return nil, fmt.Errorf("node %q: %w", n.GetName(), err)
		}
		if e.port == control {
			controls, err = g.resolveControl(controls, e.node, seen)
		} else {
			e, err = g.resolve(e)
			data = append(data, e)
		}
		if err != nil {
			return nil, fmt.Errorf("node %q: %w", n.GetName(), err)
		}
	}
	return append(data, controls...), nil
}

func (g *graph) resolveControl(to []edge, name string, seen map[string]bool) ([]edge, error) {
	if seen[name] {
		return to, nil
	}
	seen[name] = true
	if ends, gone := g.ends[name]; gone {
		var err error
		for _, end := range ends {
			if to, err = g.resolveControl(to, end, seen); err != nil {
				return nil, err
			}
		}
		return to, nil
	}
	if g.nodes[name] == nil {
		return nil, fmt.Errorf("there is no node %q", name)
	}
	return append(to, edge{name, control}), nil
}

// reached returns the nodes that the roots depend on, each after what it
// depends on (but for the edge that closes a loop), with the replacements
// written into their inputs. The order follows from the graph alone.
func (g *graph) reached(roots []edge) ([]*nodepb.NodeDef, error) {
	var order []*nodepb.NodeDef
	seen := map[string]bool{}
	var visit func(name string) error
	visit = func(name string) error {
		if seen[name] {
			return nil
		}
		seen[name] = true
		n := g.nodes[name]
		inputs, err := g.inputs(n)
		if err != nil {
			return err
		}
		n.Input = n.Input[:0]
		for _, e := range inputs {
			n.Input = append(n.Input, e.String())
		}
		for _, e := range inputs {
			if err := visit(e.node); err != nil {
				return err
			}
		}
		order = append(order, n)
		return nil
	}
	for _, root := range roots {
		at, err := g.resolveAny(root)
		if err != nil {
			return nil, err
		}
		for _, e := range at {
			if err := visit(e.node); err != nil {
				return nil, err
			}
		}
	}
	return order, nil
}

// resolveAny resolves a tensor or a control input.
func (g *graph) resolveAny(e edge) ([]edge, error) {
	if e.port == control {
		return g.resolveControl(nil, e.node, map[string]bool{})
	}
	at, err := g.resolve(e)
	return []edge{at}, err
}
