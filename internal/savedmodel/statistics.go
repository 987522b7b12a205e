package savedmodel

import (
	"maps"
	"slices"
	"strings"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/network"
)

// Statistics is the result of settleStatistics.
type statistics struct {
	updates map[string]bool // the nodes that updated moving averages, no longer needed
	settled int             // number of batch statistics replaced by averages
}

// settleStatistics converts batch normalisation that was saved in training mode
// to inference mode. A layer in training mode normalises by the mean and the
// variance of each batch and moves its averages towards them:
//
//	average = momentum * average + (1 - momentum) * statistic
//
// For each such update, uses of the batch statistic are replaced by the
// average, as in inference mode. Only statistics over a batch count: moving
// averages of weights, or of values computed for a single image, are left
// alone.
func (x *inliner) settleStatistics(inputs []network.TensorInfo) statistics {
	s := statistics{updates: map[string]bool{}}
	fed := x.dependents(inputs, func(string) bool { return false })
	own := x.dependents(inputs, x.overBatch)
	fused := map[string]map[int]network.TensorID{} // the averages of fused batch norms, by input
	for _, name := range slices.Sorted(maps.Keys(x.nodes)) {
		n := x.nodes[name]
		statistic, average, ok := x.movingAverage(n)
		if !ok || !fed[statistic.Node] {
			continue
		}
		of := x.through(statistic)
		if own[of.Node] && !isFusedNorm(x.nodes[of.Node]) {
			continue
		}
		s.updates[name] = true
		if isFusedNorm(x.nodes[of.Node]) {
			if fused[of.Node] == nil {
				fused[of.Node] = map[int]network.TensorID{}
			}
			fused[of.Node][2+of.Port] = average
			continue
		}
		x.outputs[statistic] = average
		s.settled++
	}
	s.settled += x.settleFused(fused)
	return s
}

// settleFused gives fused batch norms their averages as the mean and the
// variance, and returns the number of statistics replaced.
func (x *inliner) settleFused(averages map[string]map[int]network.TensorID) int {
	settled := 0
	for name, of := range averages {
		mean, hasMean := of[3]
		variance, hasVariance := of[4]
		n := x.nodes[name]
		if !hasMean || !hasVariance || len(n.GetInput()) < 5 {
			continue // it stays in training mode, which is detected later
		}
		n.Input[3], n.Input[4] = mean.String(), variance.String()
		n.Attr["is_training"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: false}}
		settled += 2
	}
	return settled
}

// movingAverage matches a node that updates a moving average. It returns the
// statistic and the reading of the average.
func (x *inliner) movingAverage(n *nodepb.NodeDef) (statistic, average network.TensorID, ok bool) {
	in, err := x.inputs(n)
	if err != nil || len(in) < 2 || in[1].Port == network.Control {
		return network.TensorID{}, network.TensorID{}, false
	}
	v := x.variableAt(in[0])
	if v == nil {
		return network.TensorID{}, network.TensorID{}, false
	}
	m := averaging{x, x.identity(v)}
	switch n.GetOp() {
	case "AssignVariableOp", "Assign":
		return m.value(in[1])
	case "AssignSubVariableOp", "AssignSub":
		return m.step(in[1], true)
	case "AssignAddVariableOp", "AssignAdd":
		return m.step(in[1], false)
	}
	return network.TensorID{}, network.TensorID{}, false
}

// averaging matches arithmetic on one variable.
type averaging struct {
	*inliner
	variable string
}

// value matches a new value: average·m + statistic·(1-m), or the average plus
// or minus a step, or the running statistics of a fused batch norm.
func (m averaging) value(e network.TensorID) (statistic, average network.TensorID, ok bool) {
	n, a, b, binary := m.binary(e)
	if !binary {
		return m.running(e)
	}
	switch n.GetOp() {
	case "Add", "AddV2":
		for _, pair := range [][2]network.TensorID{{a, b}, {b, a}} {
			kept, keeps := m.scaled(pair[0])
			other, scales := m.scaled(pair[1])
			if keeps && scales && m.reads(kept) && !m.reads(other) {
				return other, kept, true
			}
			if m.reads(pair[0]) {
				if statistic, average, ok = m.step(pair[1], false); ok {
					return statistic, average, true
				}
			}
		}
	case "Sub":
		if m.reads(a) {
			return m.step(b, true)
		}
	}
	return network.TensorID{}, network.TensorID{}, false
}

// step matches (statistic - average)·c, or (average - statistic)·c if away is
// set.
func (m averaging) step(e network.TensorID, away bool) (statistic, average network.TensorID, ok bool) {
	e, _ = m.scaled(e)
	n, a, b, binary := m.binary(e)
	if !binary || n.GetOp() != "Sub" {
		return network.TensorID{}, network.TensorID{}, false
	}
	if away {
		a, b = b, a
	}
	return a, b, m.reads(b) && !m.reads(a)
}

// running matches the mean or the variance output of a fused batch norm whose
// input is the average.
func (m averaging) running(e network.TensorID) (statistic, average network.TensorID, ok bool) {
	n := m.nodes[e.Node]
	if !isFusedNorm(n) || e.Port < 1 || e.Port > 2 {
		return network.TensorID{}, network.TensorID{}, false
	}
	in, err := m.inputs(n)
	if err != nil || len(in) < 5 || !m.reads(in[2+e.Port]) {
		return network.TensorID{}, network.TensorID{}, false
	}
	return e, in[2+e.Port], true
}

// binary returns a node with two operands.
func (m averaging) binary(e network.TensorID) (n *nodepb.NodeDef, a, b network.TensorID, ok bool) {
	e = m.through(e)
	n = m.nodes[e.Node]
	in, err := m.inputs(n)
	if err != nil || len(in) < 2 || in[1].Port == network.Control {
		return n, network.TensorID{}, network.TensorID{}, false
	}
	return n, in[0], in[1], true
}

// scaled returns the operand that a product multiplies by a constant.
func (m averaging) scaled(e network.TensorID) (network.TensorID, bool) {
	n, a, b, ok := m.binary(e)
	if !ok || n.GetOp() != "Mul" {
		return e, false
	}
	switch {
	case m.fixed(b):
		return a, true
	case m.fixed(a):
		return b, true
	}
	return e, false
}

// fixed reports whether a factor is computed from constants: 0.1, or 1 - 0.9.
func (m averaging) fixed(e network.TensorID) bool {
	at := m.through(e)
	n := m.nodes[at.Node]
	if n.GetOp() == "Const" {
		return true
	}
	if n.GetOp() != "Sub" {
		return false
	}
	_, a, b, ok := m.binary(at)
	return ok && m.nodes[m.through(a).Node].GetOp() == "Const" && m.nodes[m.through(b).Node].GetOp() == "Const"
}

// maxPassed bounds how many pass-through nodes are skipped.
const maxPassed = 50

// through skips nodes that pass a value on.
func (x *inliner) through(e network.TensorID) network.TensorID {
	for range maxPassed {
		n := x.nodes[e.Node]
		if op := n.GetOp(); op != "Identity" && op != "StopGradient" && op != "Cast" {
			break
		}
		in, err := x.inputs(n)
		if err != nil || len(in) == 0 || in[0].Port == network.Control {
			break
		}
		e = in[0]
	}
	return e
}

// reads reports whether a tensor is the variable's value.
func (m averaging) reads(e network.TensorID) bool {
	e = m.through(e)
	n := m.nodes[e.Node]
	if n.GetOp() == "ReadVariableOp" && len(n.GetInput()) > 0 {
		in, err := m.inputs(n)
		if err != nil {
			return false
		}
		e = in[0]
	} else if !isReference(n) {
		return false
	}
	v := m.variableAt(e)
	return v != nil && m.identity(v) == m.variable
}

// overBatch reports whether a node reduces over the batch, the images' first
// axis. Axes are counted from the front: the meaning of -4 depends on the rank,
// which is unknown here.
func (x *inliner) overBatch(name string) bool {
	n := x.nodes[name]
	switch n.GetOp() {
	case "Mean", "Sum", "Max", "Min", "Prod":
	default:
		return false
	}
	in, err := x.inputs(n)
	if err != nil || len(in) < 2 || in[1].Port == network.Control {
		return false
	}
	axes, ok := network.TensorInts(x.nodes[x.through(in[1]).Node].GetAttr()["value"].GetTensor())
	return ok && slices.Contains(axes, 0)
}

// dependents returns the nodes that depend on the inputs' data, not following
// paths through nodes where ends returns true.
func (x *inliner) dependents(inputs []network.TensorInfo, ends func(node string) bool) map[string]bool {
	consumers := map[string][]string{}
	for name, n := range x.nodes {
		in, err := x.inputs(n)
		if err != nil {
			continue // of an unused part
		}
		for _, e := range in {
			if e.Port != network.Control {
				consumers[e.Node] = append(consumers[e.Node], name)
			}
		}
	}
	found := map[string]bool{}
	var queue []string
	for _, port := range inputs {
		queue = append(queue, strings.TrimSuffix(port.Tensor, ":0"))
	}
	for ; len(queue) > 0; queue = queue[1:] {
		if !found[queue[0]] && !ends(queue[0]) {
			found[queue[0]] = true
			queue = append(queue, consumers[queue[0]]...)
		}
	}
	return found
}

func isFusedNorm(n *nodepb.NodeDef) bool {
	switch n.GetOp() {
	case "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3":
		return true
	}
	return false
}
