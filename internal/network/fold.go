package network

import (
	"context"
	"fmt"
	"slices"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// Fold returns a smaller network that computes the same in inference:
//
//   - nodes that pass a tensor on unchanged are removed;
//   - batch norm, fused or spelt out, and other per-channel multiplications and
//     additions after a Conv2D, DepthwiseConv2dNative or MatMul are folded into
//     its kernel and one BiasAdd; elsewhere a batch norm becomes one Mul and one
//     AddV2;
//   - values that depend only on weights and constants are computed, by
//     TensorFlow itself, and become weights or constants;
//   - equal weights are merged, and unused nodes and weights are removed.
//
// Kernels are folded in double precision, so outputs differ only by the
// rounding of the folded values, about 1e-6 relative in float32. The last node
// of a folded chain keeps its name, and with it the endpoint. Convolutions with
// channels first (NCHW) are not folded.
func (n *Network) Fold(ctx context.Context) (*Network, error) {
	if err := n.Validate(); err != nil {
		return nil, fmt.Errorf("fold: %w", err)
	}
	defs, err := tensorflow.Operations()
	if err != nil {
		return nil, fmt.Errorf("fold: %w", err)
	}
	f := &folding{
		Network:  Network{Graph: n.Graph, Inputs: n.Inputs, Outputs: slices.Clone(n.Outputs), Weights: slices.Clone(n.Weights)},
		stateful: func(op string) bool { return defs[op] == nil || defs[op].GetIsStateful() },
	}
	f.dropControls()
	f.bypass()
	f.sweep()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("fold: %w", err)
	}
	if err := f.foldAffine(); err != nil {
		return nil, fmt.Errorf("fold: %w", err)
	}
	f.sweep()
	if err := f.evaluate(ctx); err != nil {
		return nil, fmt.Errorf("fold: %w", err)
	}
	f.mergeConstants()
	f.mergeWeights()
	return n.live(f.Graph.GetNode(), f.Inputs, f.Outputs, f.Weights), nil
}

// A folding is the state of folding a network. It never owns a mapping.
type folding struct {
	Network
	stateful func(op string) bool
	looping  bool // has control flow, so control edges matter
}

// setNodes replaces the graph's nodes.
func (f *folding) setNodes(nodes []*nodepb.NodeDef) {
	f.Graph = withVersions(f.Graph, nodes)
}

// sweep drops the nodes that the outputs do not need.
func (f *folding) sweep() {
	swept := f.live(f.Graph.GetNode(), f.Inputs, f.Outputs, f.Weights)
	f.Graph, f.Inputs, f.Weights = swept.Graph, swept.Inputs, swept.Weights
}

// redirect replaces the keys by the values as sources of edges and outputs.
func (f *folding) redirect(to map[TensorID]TensorID) {
	f.setNodes(rewire(f.Graph.GetNode(), to))
	for i, p := range f.Outputs {
		if r, ok := to[mustID(p.Tensor)]; ok {
			f.Outputs[i].Tensor = r.Name()
		}
	}
}

// controlFlow lists the operations that form conditionals and loops in a flat
// graph.
var controlFlow = set("Switch", "RefSwitch", "_SwitchN", "Merge", "RefMerge", "Enter", "RefEnter",
	"Exit", "RefExit", "NextIteration", "RefNextIteration", "LoopCond", "ControlTrigger")

// dropControls drops the control edges. They order side effects, of which a
// plain network has none, unless they trigger a branch or a loop.
func (f *folding) dropControls() {
	nodes := slices.Clone(f.Graph.GetNode())
	f.looping = slices.ContainsFunc(nodes, func(node *nodepb.NodeDef) bool { return controlFlow[node.GetOp()] })
	if f.looping {
		return
	}
	for i, node := range nodes {
		if data := dataInputs(node); len(data) < len(node.GetInput()) {
			node = clone(node)
			node.Input = node.Input[:len(data)]
			nodes[i] = node
		}
	}
	f.setNodes(nodes)
}

// passes lists operations that are the identity in inference.
var passes = set("Identity", "IdentityN", "PreventGradient", "Snapshot", "StopGradient", "PlaceholderWithDefault")

// bypass connects the consumers of passing nodes to their source. An output
// that would become an input keeps its node, because TensorFlow cannot fetch a
// tensor that it is fed.
func (f *folding) bypass() {
	x := newIndex(f.Graph.GetNode())
	source := func(r TensorID) (TensorID, bool) {
		node := x.nodes[r.Node]
		same := passes[node.GetOp()] || node.GetOp() == "Cast" && attrType(node, "SrcT") == attrType(node, "DstT")
		if !same || r.Port >= len(dataInputs(node)) || len(dataInputs(node)) < len(node.GetInput()) {
			return r, false
		}
		return mustID(node.GetInput()[r.Port]), true
	}
	// Each node on the path is mapped to its end, so that long chains take
	// linear time.
	origins := make(map[TensorID]TensorID)
	origin := func(r TensorID) TensorID {
		var way []TensorID
		for {
			next, ok := origins[r]
			if !ok {
				next, ok = source(r)
			}
			if !ok {
				break
			}
			way = append(way, r)
			r = next
		}
		for _, from := range way {
			origins[from] = r
		}
		return r
	}
	nodes := slices.Clone(f.Graph.GetNode())
	for i, node := range nodes {
		for j, in := range dataInputs(node) {
			r := mustID(in)
			if to := origin(r); to != r {
				if node == x.nodes[node.GetName()] {
					node = clone(node)
					nodes[i] = node
				}
				node.Input[j] = to.String()
			}
		}
	}
	for i, p := range f.Outputs {
		to := origin(mustID(p.Tensor))
		if x.nodes[to.Node].GetOp() != "Placeholder" {
			f.Outputs[i].Tensor = to.Name()
		}
	}
	f.setNodes(nodes)
}
