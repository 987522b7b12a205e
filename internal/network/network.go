// Package network implements the project's plain form of a TensorFlow graph and
// operations on it: pruning, folding, cutting at an endpoint, joining, change
// of precision, a file format, and loading into a session.
//
// A plain network has no functions and no state except its listed weights, so
// every operation on it is a traversal of one flat graph. Importers (Keras
// exports, TF1 SavedModels) and the project's own architectures produce this
// form; training, serving and export start from it.
package network

import (
	"fmt"
	"slices"
	"strings"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"

	"tkit/internal/tensorflow"
)

// readSuffix is appended to a weight's name to name the node that reads it.
const readSuffix = "/read"

// A Network is a plain TensorFlow graph and its weights.
//
// Each weight is one VarHandleOp node with the weight's name (and the same
// shared_name) and one ReadVariableOp node of that name with "/read" appended.
// Inputs are Placeholder nodes. Small constants such as shapes and axes are
// Const nodes. [Network.Validate] defines the form in full.
//
// Methods that return a Network do not modify the receiver. Their result shares
// unchanged nodes and the weights' bytes with it, so neither may be modified in
// place afterwards: copy a node before changing it.
type Network struct {
	Graph   *graphpb.GraphDef
	Inputs  []TensorInfo
	Outputs []TensorInfo
	Weights []*Weight // sorted by name

	mapped []*mapping // the files behind Weights; none if they are on the heap
}

// A TensorInfo describes a named input or output: an entry of a signature.
type TensorInfo struct {
	Name     string // key in the signature, such as "images"
	Tensor   string // "node:0"
	DataType tensorflow.DataType
	Shape    []int64 // -1 for an unknown dimension; nil for an unknown rank
}

// A Weight is one trained array: the fixed value of a variable.
type Weight struct {
	Name      string
	DataType  tensorflow.DataType
	Shape     []int64
	Data      []byte // little-endian, row-major; may alias a mapped file
	Trainable bool   // false for running statistics and folded values
}

// Weight returns the weight of that name, or nil.
func (n *Network) Weight(name string) *Weight {
	i, ok := slices.BinarySearchFunc(n.Weights, name, func(w *Weight, name string) int {
		return strings.Compare(w.Name, name)
	})
	if !ok {
		return nil
	}
	return n.Weights[i]
}

// Input returns the input of that name, or the only input if name is "".
func (n *Network) Input(name string) (TensorInfo, error) { return find(n.Inputs, "input", name) }

// Output returns the output of that name, or the only output if name is "".
func (n *Network) Output(name string) (TensorInfo, error) { return find(n.Outputs, "output", name) }

// find returns the tensor of that name; an empty name means the only one.
func find(infos []TensorInfo, kind, name string) (TensorInfo, error) {
	if name == "" && len(infos) == 1 {
		return infos[0], nil
	}
	var names []string
	for _, p := range infos {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	if name == "" {
		return TensorInfo{}, fmt.Errorf("network has %d %ss %q: name one", len(infos), kind, names)
	}
	return TensorInfo{}, fmt.Errorf("network has no %s %q, only %q", kind, name, names)
}

// Bytes returns the size of all weights.
func (n *Network) Bytes() int64 {
	var total int64
	for _, w := range n.Weights {
		total += int64(len(w.Data))
	}
	return total
}

// derive returns a network over other nodes that shares the bytes of n's
// weights.
func (n *Network) derive(g *graphpb.GraphDef, in, out []TensorInfo, weights []*Weight) *Network {
	slices.SortFunc(weights, func(a, b *Weight) int { return strings.Compare(a.Name, b.Name) })
	d := &Network{Graph: g, Inputs: in, Outputs: out, Weights: weights}
	for _, m := range n.mapped {
		d.mapped = append(d.mapped, m.retain())
	}
	return d
}
