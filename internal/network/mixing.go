package network

import (
	"fmt"
	"slices"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// A Mixing is a node that makes the output for an image depend on more than the
// image: on the other images of its batch, or on random numbers.
type Mixing struct {
	Node string
	Op   string
	Why  string // "takes the mean over the whole batch"
}

// Error describes the mixing.
func (m *Mixing) Error() string { return fmt.Sprintf("node %q (%s) %s", m.Node, m.Op, m.Why) }

// Independence describes whether the images of a batch influence each other.
type Independence struct {
	// Mixes is the first node known to mix images, nil if there is none.
	Mixes *Mixing
	// Proved means that every row of every output depends on its own image
	// alone. If neither is set, only running the network can tell.
	Proved bool
}

// Independence follows the images of a batch through the graph, operation by
// operation, and determines whether one can influence the output for another.
// The network must have one input, with the images along its first dimension.
//
// The batch dimensions are found by running TensorFlow's shape inference with
// two batch sizes and comparing the results. An operation without a rule, or
// with an unknown shape, leaves the question undecided.
func (n *Network) Independence() (Independence, error) {
	in, err := n.Input("")
	if err != nil {
		return Independence{}, err
	}
	if len(in.Shape) < 2 {
		return Independence{}, nil
	}
	r := &rows{x: newIndex(n.Graph.GetNode()), spreads: make(map[TensorID]spread)}
	for i, size := range batchSizes {
		g, err := n.withBatch(size).importGraph()
		if err != nil {
			return Independence{}, fmt.Errorf("the network does not accept a batch of %d images: %w", size, err)
		}
		defer g.Close()
		r.graphs[i] = g
	}
	for _, node := range topological(n.Graph.GetNode()) {
		if m := r.analyse(node); m != nil {
			return Independence{Mixes: m}, nil
		}
	}
	proved := true
	for _, p := range n.Outputs {
		s, shape := r.spreads[mustID(p.Tensor)], r.shape(mustID(p.Tensor))
		proved = proved && s == spread{kind: images, outer: 1} && len(shape) > 0 && shape[0].batch == 1
	}
	return Independence{Proved: proved}, nil
}

// batchSizes are the sizes for shape inference: large primes, so that they are
// not confused with factors of other dimensions.
var batchSizes = [2]int64{1009, 1013}

// withBatch returns the network with its input fixed to a batch of that size.
func (n *Network) withBatch(size int64) *Network {
	fixed := *n
	fixed.Inputs = slices.Clone(n.Inputs)
	fixed.Inputs[0].Shape = slices.Clone(n.Inputs[0].Shape)
	fixed.Inputs[0].Shape[0] = size
	return &fixed
}

// A kind describes what a tensor's values depend on.
type kind int

const (
	steady kind = iota // the same for every image of every batch
	even               // the same for every image, one per image
	sized              // the number of images
	images             // the images, each value on one of them
	unsure             // unknown
)

// A spread describes the position of the images in a tensor: along one axis,
// whose dimension is outer × batch × the rest.
type spread struct {
	kind  kind
	axis  int
	outer int64
}

// A dim is a dimension of a tensor: a fixed size, or batch times the number of
// images. Both are 0 if it is unknown.
type dim struct{ size, batch int64 }

// rows follows images through a graph.
type rows struct {
	x       *index
	graphs  [2]*tensorflow.Graph
	spreads map[TensorID]spread
}

// shape returns the dimensions of a tensor, nil if its rank is unknown.
func (r *rows) shape(at TensorID) []dim {
	a, errA := r.graphs[0].Shape(at.Name())
	b, errB := r.graphs[1].Shape(at.Name())
	if errA != nil || errB != nil || a == nil || len(a) != len(b) {
		return nil
	}
	dims := make([]dim, len(a))
	for i := range a {
		switch {
		case a[i] < 0 || b[i] < 0:
		case a[i] == b[i]:
			dims[i].size = a[i]
		case a[i]%batchSizes[0] == 0 && a[i]/batchSizes[0]*batchSizes[1] == b[i]:
			dims[i].batch = a[i] / batchSizes[0]
		}
	}
	return dims
}

// analyse determines the spreads of a node's outputs, or how it mixes.
func (r *rows) analyse(node *nodepb.NodeDef) *Mixing {
	if draws(node.GetOp()) {
		return &Mixing{node.GetName(), node.GetOp(), "draws random numbers"}
	}
	c := r.step(node)
	s, why := c.result()
	if why != "" {
		return &Mixing{node.GetName(), node.GetOp(), why}
	}
	for port := range max(1, c.outputs) {
		at := TensorID{node.GetName(), port}
		r.spreads[at] = r.checked(at, s)
	}
	return nil
}

// checked returns s if the tensor's shape has the batch at that position, else
// unsure.
func (r *rows) checked(at TensorID, s spread) spread {
	if s.kind != images && s.kind != even {
		return s
	}
	shape := r.shape(at)
	for i, d := range shape {
		if i == s.axis && (d.batch == 0 || d.batch%s.outer != 0) || i != s.axis && d.batch > 0 {
			return spread{kind: unsure}
		}
	}
	if s.axis < 0 || s.axis >= len(shape) {
		return spread{kind: unsure}
	}
	return s
}

// randomOps lists the operations that draw random numbers but whose names do
// not show it.
var randomOps = set("Multinomial", "DropoutV3", "StatefulUniformInt", "StatefulUniform", "StatefulStandardNormal",
	"StatefulStandardNormalV2", "StatefulTruncatedNormal", "StatefulUniformFullInt", "StatefulRandomBinomial",
	"SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2", "FractionalMaxPool", "FractionalAvgPool",
	"ParameterizedTruncatedNormal", "TruncatedNormal", "AnonymousSeedGenerator", "RngSkip", "RngReadAndSkip")

// draws reports whether an operation's result differs between runs.
func draws(op string) bool {
	return randomOps[op] || len(op) > 6 && op[:6] == "Random"
}
