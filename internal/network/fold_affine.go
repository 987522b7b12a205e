package network

import (
	"slices"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// foldAffine rewrites chains of per-channel affine operations (Ioffe & Szegedy
// 2015, §3.1 for batch norm in inference): after a convolution or product into
// its kernel and a BiasAdd, elsewhere a batch norm into a Mul and an AddV2. The
// new values are added as nodes that evaluate computes.
func (f *folding) foldAffine() error {
	g, err := f.importGraph()
	if err != nil {
		return err
	}
	defer g.Close()
	a := &affineFolder{
		graph:   g,
		x:       newIndex(f.Graph.GetNode()),
		fixed:   f.fixed(),
		outputs: make(map[string]bool),
		later:   make(map[string]bool),
		replace: make(map[string][]*nodepb.NodeDef),
	}
	for _, p := range f.Outputs {
		r := mustID(p.Tensor)
		a.outputs[r.Node] = true
		a.later[r.Node] = a.later[r.Node] || r.Port > 0
	}
	for _, node := range f.Graph.GetNode() {
		for _, in := range dataInputs(node) {
			r := mustID(in)
			a.later[r.Node] = a.later[r.Node] || r.Port > 0
		}
	}
	// In the direction of the data, so that a chain is found at its beginning.
	order := topological(f.Graph.GetNode())
	for _, node := range order {
		a.contraction(node)
	}
	for _, node := range order {
		a.normalisation(node)
	}
	var nodes []*nodepb.NodeDef
	for _, node := range f.Graph.GetNode() {
		if by, ok := a.replace[node.GetName()]; ok {
			nodes = append(nodes, by...)
		} else {
			nodes = append(nodes, node)
		}
	}
	f.setNodes(nodes)
	return nil
}

type affineFolder struct {
	graph   *tensorflow.Graph
	x       *index
	fixed   map[string]bool
	outputs map[string]bool              // nodes that outputs fetch
	later   map[string]bool              // nodes with uses of outputs other than the first
	replace map[string][]*nodepb.NodeDef // node → its replacement
}

// A link is one affine operation of a chain: v is the per-channel operand.
type link struct {
	node     *nodepb.NodeDef
	v        TensorID
	reversed bool // v - x instead of x - v
}

// contraction folds the chain after node if node has a kernel.
func (a *affineFolder) contraction(node *nodepb.NodeDef) {
	kernel, ok := a.kernel(node)
	if !ok || a.outputs[node.GetName()] {
		return
	}
	users := a.x.consumers[node.GetName()]
	if len(users) != 1 {
		return
	}
	chain := a.chain(a.x.nodes[users[0]], TensorID{node.GetName(), 0}, kernel.channels)
	if len(chain) == 0 || len(chain) == 1 && chain[0].node.GetOp() == "BiasAdd" {
		return
	}
	end := chain[len(chain)-1].node
	m := a.maths(node.GetName(), attrType(node, "T"), kernel.channels)
	scale, shift := m.compose(chain)

	conv := clone(node)
	if scale != nil {
		scaled := m.op("Mul", m.widen(kernel.TensorID), m.reshape(*scale, kernel.scaleShape...))
		conv.Input[1] = m.narrow(scaled, node.GetName()+"/kernel").String()
	}
	last := conv
	if shift != nil {
		bias := m.narrow(*shift, node.GetName()+"/bias")
		last = newNode("BiasAdd", end.GetName(), attrs{"T": node.GetAttr()["T"], "data_format": stringAttr("NHWC")},
			conv.GetName(), bias.String())
	}
	a.remove(node, chain)
	if last == conv {
		conv.Name = end.GetName()
		a.replace[end.GetName()] = append(m.nodes, conv)
		return
	}
	a.replace[node.GetName()] = append(m.nodes, conv)
	a.replace[end.GetName()] = []*nodepb.NodeDef{last}
}

// normalisation rewrites the chain that begins with node as one Mul and one
// AddV2, if it contains a batch norm or is longer than two nodes.
func (a *affineFolder) normalisation(node *nodepb.NodeDef) {
	if _, done := a.replace[node.GetName()]; done {
		return
	}
	for _, in := range dataInputs(node) {
		r := mustID(in)
		if a.fixed[r.Node] {
			continue
		}
		shape, err := a.graph.Shape(r.Name())
		if err != nil || len(shape) < 2 || shape[len(shape)-1] <= 0 {
			return
		}
		channels := shape[len(shape)-1]
		chain := a.chain(node, r, channels)
		fused := slices.ContainsFunc(chain, func(l link) bool { return isFusedNorm(l.node) })
		if len(chain) < 3 && !fused {
			return
		}
		end := chain[len(chain)-1].node
		dtype := attrs{"T": node.GetAttr()["T"]}
		m := a.maths(end.GetName(), attrType(node, "T"), channels)
		scale, shift := m.compose(chain)
		if scale != nil {
			name := end.GetName()
			if shift != nil {
				name = a.x.freeName(name + "/mul")
			}
			v := m.narrow(*scale, end.GetName()+"/scale")
			r = m.add(newNode("Mul", name, dtype, r.String(), v.String()))
		}
		if shift != nil {
			v := m.narrow(*shift, end.GetName()+"/shift")
			m.add(newNode("AddV2", end.GetName(), dtype, r.String(), v.String()))
		}
		a.remove(node, chain)
		a.replace[end.GetName()] = m.nodes
		return
	}
}

// remove removes the chain's nodes from the graph.
func (a *affineFolder) remove(node *nodepb.NodeDef, chain []link) {
	a.replace[node.GetName()] = nil
	for _, l := range chain {
		a.replace[l.node.GetName()] = nil
	}
}

// chain returns the consecutive affine operations from first on, whose input is
// from. It ends where an intermediate result has another use.
func (a *affineFolder) chain(first *nodepb.NodeDef, from TensorID, channels int64) []link {
	shape, err := a.graph.Shape(from.Name())
	if err != nil || len(shape) < 2 {
		return nil
	}
	var chain []link
	for node := first; node != nil; {
		if _, done := a.replace[node.GetName()]; done {
			break
		}
		l, ok := a.link(node, from, len(shape), channels)
		if !ok {
			break
		}
		chain = append(chain, l)
		from = TensorID{node.GetName(), 0}
		users := a.x.consumers[node.GetName()]
		if a.outputs[node.GetName()] || len(users) != 1 {
			break
		}
		node = a.x.nodes[users[0]]
	}
	return chain
}

// link interprets node as an affine operation applied to from.
func (a *affineFolder) link(node *nodepb.NodeDef, from TensorID, rank int, channels int64) (link, bool) {
	in := dataInputs(node)
	if len(in) < 2 || len(in) != len(node.GetInput()) || !channelsLast(node) {
		return link{}, false
	}
	x, v := mustID(in[0]), mustID(in[1])
	switch node.GetOp() {
	case "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3":
		ok := x == from && len(in) == 5 && inference(node) && !a.later[node.GetName()]
		for _, s := range in[1:] {
			ok = ok && a.fixed[mustID(s).Node]
		}
		return link{node: node}, ok
	case "BiasAdd", "Sub", "RealDiv", "Div":
	case "Add", "AddV2", "Mul":
		if v == from {
			x, v = v, x
		}
	default:
		return link{}, false
	}
	reversed := node.GetOp() == "Sub" && v == from
	if reversed {
		x, v = v, x
	}
	if x != from || !a.fixed[v.Node] || !a.perChannel(v, rank, channels) {
		return link{}, false
	}
	return link{node: node, v: v, reversed: reversed}, true
}

// perChannel reports whether v has one value, or one per channel, for a tensor
// of that rank with channels last.
func (a *affineFolder) perChannel(v TensorID, rank int, channels int64) bool {
	shape, err := a.graph.Shape(v.Name())
	if err != nil || shape == nil || len(shape) > rank {
		return false
	}
	for i, d := range shape {
		if d != 1 && (i < len(shape)-1 || d != channels) {
			return false
		}
	}
	return true
}

func isFusedNorm(node *nodepb.NodeDef) bool {
	switch node.GetOp() {
	case "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3":
		return true
	}
	return false
}

// inference reports whether a fused batch norm uses given statistics.
// TensorFlow's default is training.
func inference(node *nodepb.NodeDef) bool {
	training := node.GetAttr()["is_training"]
	return training != nil && !training.GetB()
}
