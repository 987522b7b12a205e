package savedmodel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/network"
)

// NodeName returns the name of the node in a reference such as "^node", "node:1"
// or, in a function, "node:output:0".
func NodeName(reference string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(reference, "^"), ":")
	return name
}

// A graph holds nodes by name, and replacements of tensors: the outputs of an
// inlined call are replaced by tensors of the function's body.
type graph struct {
	*budget
	nodes   map[string]*nodepb.NodeDef
	outputs map[network.TensorID]network.TensorID // replacements of tensors; may chain
	ends    map[string][]string                   // the replacements of "^node" after the node was removed
	numbers map[string]int                        // the last numbers used for names
}

func newGraph(b *budget, nodes []*nodepb.NodeDef) (*graph, error) {
	if len(nodes) > maxNodes {
		return nil, fmt.Errorf("%w: its graph has %d nodes, more than the allowed %d", ErrUnsupported, len(nodes), maxNodes)
	}
	g := &graph{
		budget:  b,
		nodes:   make(map[string]*nodepb.NodeDef, len(nodes)),
		outputs: map[network.TensorID]network.TensorID{},
		ends:    map[string][]string{},
		numbers: map[string]int{},
	}
	for i, n := range nodes {
		if len(n.GetName()) > network.MaxName {
			return nil, fmt.Errorf("node %d has a name of %d bytes, more than the allowed %d", i, len(n.GetName()), network.MaxName)
		}
		if g.nodes[n.GetName()] != nil {
			return nil, fmt.Errorf("two nodes are named %q", n.GetName())
		}
		g.nodes[n.GetName()] = n
	}
	return g, nil
}

// free returns the first name never used by a node, numbering the last one if
// necessary.
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
	for {
		g.numbers[last]++ // names stay reserved
		if name := last + "_" + strconv.Itoa(g.numbers[last]); !taken(name) {
			return name
		}
	}
}

// circular marks tensors that are replaced by themselves.
var circular = network.Output("", network.Control-1)

// resolve follows a tensor's replacements to an existing node. It shortens the
// path, so that following long chains takes linear time.
func (g *graph) resolve(e network.TensorID) (network.TensorID, error) {
	at, hops := e, 0
	for next, ok := g.outputs[at]; ok; next, ok = g.outputs[at] {
		at = next
		if hops++; hops > len(g.outputs) {
			at = circular
			break
		}
	}
	for way := e; hops > 0 && g.outputs[way] != at; {
		way, g.outputs[way] = g.outputs[way], at
	}
	if at == circular {
		return network.TensorID{}, fmt.Errorf("tensor %q depends on itself", e)
	}
	if g.nodes[at.Node] == nil {
		return network.TensorID{}, fmt.Errorf("there is no tensor %q", e)
	}
	return at, nil
}

// inputs returns a node's inputs after replacements. A control input may become
// several or none.
func (g *graph) inputs(n *nodepb.NodeDef) ([]network.TensorID, error) {
	data := make([]network.TensorID, 0, len(n.GetInput()))
	var controls []network.TensorID
	var seen map[string]bool
	for _, in := range n.GetInput() {
		e, err := network.ParseTensorID(in)
		if err != nil {
			return nil, fmt.Errorf("node %q: %w", n.GetName(), err)
		}
		if e.Port == network.Control {
			if seen == nil {
				seen = map[string]bool{}
			}
			controls, err = g.resolveControl(controls, e.Node, seen)
		} else {
			e, err = g.resolve(e)
			data = append(data, e)
		}
		if err != nil {
			return nil, fmt.Errorf("node %q: %w", n.GetName(), err)
		}
	}
	return append(data, controls...), g.spend(1 + len(data))
}

// resolveControl appends the nodes that replace "^name" and are not yet in
// seen.
func (g *graph) resolveControl(to []network.TensorID, name string, seen map[string]bool) ([]network.TensorID, error) {
	for stack := []string{name}; len(stack) > 0; {
		name := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[name] {
			continue
		}
		seen[name] = true
		ends, gone := g.ends[name]
		if err := g.spend(1 + len(ends)); err != nil {
			return nil, err
		}
		switch {
		case gone:
			for _, end := range slices.Backward(ends) {
				stack = append(stack, end)
			}
		case g.nodes[name] == nil:
			return nil, fmt.Errorf("there is no node %q", name)
		default:
			to = append(to, network.Output(name, network.Control))
		}
	}
	return to, nil
}

// reached returns the nodes that the roots depend on, each after its
// dependencies (except for the edge that closes a loop), with the replacements
// applied to their inputs. The order depends on the graph alone.
func (g *graph) reached(roots []network.TensorID) ([]*nodepb.NodeDef, error) {
	w := walk{graph: g, seen: map[string]bool{}}
	for _, root := range roots {
		at, err := g.resolveAny(root)
		if err != nil {
			return nil, err
		}
		for _, e := range at {
			if err := w.from(e.Node); err != nil {
				return nil, err
			}
		}
	}
	return w.order, nil
}

// A walk traverses a graph depth first. It keeps its own stack, because a graph
// may be one long chain.
type walk struct {
	*graph
	seen  map[string]bool
	stack []visit
	order []*nodepb.NodeDef
}

// A visit is a node on the stack, with its remaining inputs.
type visit struct {
	node *nodepb.NodeDef
	left []network.TensorID
}

func (w *walk) from(name string) error {
	if err := w.enter(name); err != nil {
		return err
	}
	for len(w.stack) > 0 {
		top := &w.stack[len(w.stack)-1]
		if len(top.left) == 0 {
			w.order = append(w.order, top.node)
			w.stack = w.stack[:len(w.stack)-1]
			continue
		}
		next := top.left[0].Node
		top.left = top.left[1:]
		if err := w.enter(next); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) enter(name string) error {
	if w.seen[name] {
		return nil
	}
	w.seen[name] = true
	n := w.nodes[name]
	inputs, err := w.inputs(n)
	if err != nil {
		return err
	}
	n.Input = n.Input[:0]
	for _, e := range inputs {
		n.Input = append(n.Input, e.String())
	}
	w.stack = append(w.stack, visit{n, inputs})
	return nil
}

// resolveAny resolves a tensor or a control input.
func (g *graph) resolveAny(e network.TensorID) ([]network.TensorID, error) {
	if e.Port == network.Control {
		return g.resolveControl(nil, e.Node, map[string]bool{})
	}
	at, err := g.resolve(e)
	return []network.TensorID{at}, err
}
