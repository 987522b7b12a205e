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
	dead := map[network.TensorID]bool{}
	for _, n := range nodes {
		inputs, err := g.inputs(n)
		if err != nil {
			continue
		}
		if n.GetOp() == "Merge" {
			g.settleMerge(n, inputs, dead)
			continue
		}
		if slices.ContainsFunc(inputs, func(e network.TensorID) bool { return dead[e] || dead[network.Output(e.Node, network.Control)] }) {
			dead[network.Output(n.GetName(), network.Control)] = true // and with it all outputs
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
			g.outputs[network.Output(n.GetName(), live)] = inputs[0]
			dead[network.Output(n.GetName(), other)] = true
		}
	}
}

// settleMerge joins the remaining branches of a conditional. A Merge that
// begins a loop stays, or is removed with the loop's input.
func (g *graph) settleMerge(n *nodepb.NodeDef, inputs []network.TensorID, dead map[network.TensorID]bool) {
	var live []int
	data, loop := 0, false
	for i, e := range inputs {
		if e.Port == network.Control {
			break
		}
		data++
		if g.nodes[e.Node].GetOp() == "NextIteration" {
			loop = true
		} else if !dead[e] && !dead[network.Output(e.Node, network.Control)] {
			live = append(live, i)
		}
	}
	switch {
	case len(live) == 0:
		dead[network.Output(n.GetName(), network.Control)] = true
	case len(live) == 1 && data > 1 && !loop:
		which := network.ConstNode(g.free(n.GetName()+"/index"), tensorflow.Int32, []int64{}, []byte{byte(live[0]), 0, 0, 0})
		g.nodes[which.GetName()] = which
		g.outputs[network.Output(n.GetName(), 0)] = inputs[live[0]]
		g.outputs[network.Output(n.GetName(), 1)] = network.Output(which.GetName(), 0)
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
			if e.Port == network.Control && !guarded[e.Node] {
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
			if e, err := network.ParseTensorID(in); err == nil {
				consumers[e.Node] = append(consumers[e.Node], n)
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
			if e, err := network.ParseTensorID(in); err == nil && e.Port == network.Control {
				held[e.Node] = true
			}
		}
	}
	for _, n := range nodes {
		if n.GetOp() == "Identity" && x.body[n.GetName()] && len(n.GetInput()) == 1 && !held[n.GetName()] {
			if e, err := network.ParseTensorID(n.GetInput()[0]); err == nil {
				x.outputs[network.Output(n.GetName(), 0)] = e
			}
		}
	}
}
