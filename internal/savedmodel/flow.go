package savedmodel

import (
	"slices"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// flowOps lists the operations of TensorFlow 1's conditionals and loops.
var flowOps = map[string]bool{
	"Switch": true, "RefSwitch": true, "Merge": true, "RefMerge": true, "Enter": true, "RefEnter": true,
	"Exit": true, "RefExit": true, "NextIteration": true, "RefNextIteration": true, "LoopCond": true,
}

// settleDefaults replaces placeholders that the signature does not feed by
// their defaults.
func (g *graph) settleDefaults() {
	for _, n := range g.nodes {
		if n.GetOp() == "PlaceholderWithDefault" && len(n.GetInput()) > 0 {
			n.Op = "Identity"
			n.Attr = attributes{"T": n.GetAttr()["dtype"]}
		}
	}
}

// settleSwitches removes TensorFlow 1 conditionals whose condition is constant.
func (g *graph) settleSwitches(nodes []*nodepb.NodeDef) {
	dead := map[edge]bool{}
	for _, n := range nodes {
		inputs, err := g.inputs(n)
		if err != nil {
			continue
		}
		if n.GetOp() == "Merge" {
			g.settleMerge(n, inputs, dead)
			continue
		}
		if slices.ContainsFunc(inputs, func(e edge) bool { return dead[e] || dead[edge{e.node, control}] }) {
			dead[edge{n.GetName(), control}] = true // and with it all outputs
			continue
		}
		if n.GetOp() != "Switch" || len(inputs) < 2 {
			continue
		}
		if taken, ok := g.constant(inputs[1]); ok {
			live, other := 0, 1
			if taken != 0 {
				live, other = 1, 0
			}
			g.outputs[edge{n.GetName(), live}] = inputs[0]
			dead[edge{n.GetName(), other}] = true
		}
	}
}

// settleMerge joins the remaining branches of a conditional. A Merge that
// begins a loop stays, or is removed with the loop's input.
func (g *graph) settleMerge(n *nodepb.NodeDef, inputs []edge, dead map[edge]bool) {
	var live []int
	data, loop := 0, false
	for i, e := range inputs {
		if e.port == control {
			break
		}
		data++
		if g.nodes[e.node].GetOp() == "NextIteration" {
			loop = true
		} else if !dead[e] && !dead[edge{e.node, control}] {
			live = append(live, i)
		}
	}
	switch {
	case len(live) == 0:
		dead[edge{n.GetName(), control}] = true
	case len(live) == 1 && data > 1 && !loop:
		which := network.ConstNode(g.free(n.GetName()+"/index"), tensorflow.Int32, []int64{}, []byte{byte(live[0]), 0, 0, 0})
		g.nodes[which.GetName()] = which
		g.outputs[edge{n.GetName(), 0}] = inputs[live[0]]
		g.outputs[edge{n.GetName(), 1}] = edge{which.GetName(), 0}
	}
}

// dropControls removes control inputs, except those that put a node into a
// branch or loop of TensorFlow 1. They order side effects: assertions, prints,
// summaries.
func (g *graph) dropControls(nodes []*nodepb.NodeDef) error {
	guarded := g.guarded(nodes)
	for _, n := range nodes {
		inputs, err := g.inputs(n)
		if err != nil {
			return err
		}
		n.Input = nil
		for _, e := range inputs {
			if e.port == control && !guarded[e.node] {
				continue
			}
			n.Input = append(n.Input, e.String())
		}
	}
	return nil
}

// guarded returns the nodes that run only in a certain branch or loop, and mark
// it.
func (g *graph) guarded(nodes []*nodepb.NodeDef) map[string]bool {
	consumers := map[string][]*nodepb.NodeDef{}
	var queue []*nodepb.NodeDef
	for _, n := range nodes {
		for _, in := range n.GetInput() {
			if e, err := parseEdge(in); err == nil {
				consumers[e.node] = append(consumers[e.node], n)
			}
		}
		if flowOps[n.GetOp()] {
			queue = append(queue, n)
		}
	}
	below, pivots := map[string]bool{}, map[string]bool{}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		if below[n.GetName()] {
			continue
		}
		below[n.GetName()] = true
		if flowOps[n.GetOp()] || n.GetOp() == "Identity" {
			pivots[n.GetName()] = true
		}
		queue = append(queue, consumers[n.GetName()]...)
	}
	return pivots
}

// skipIdentities removes the nodes that pass functions' arguments and results
// on.
func (x *inliner) skipIdentities(nodes []*nodepb.NodeDef) {
	held := map[string]bool{}
	for _, n := range nodes {
		for _, in := range n.GetInput() {
			if e, err := parseEdge(in); err == nil && e.port == control {
				held[e.node] = true
			}
		}
	}
	for _, n := range nodes {
		if n.GetOp() == "Identity" && x.body[n.GetName()] && len(n.GetInput()) == 1 && !held[n.GetName()] {
			if e, err := parseEdge(n.GetInput()[0]); err == nil {
				x.outputs[edge{n.GetName(), 0}] = e
			}
		}
	}
}
