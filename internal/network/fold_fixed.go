package network

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/tensorflow"
)

// evaluationBytes bounds the size of the fixed values computed in one run, and
// so the memory that folding needs besides the values themselves.
const evaluationBytes = 64 << 20

const (
	// maxFixed bounds the size of a computed value, and the total kept beyond
	// twice the network's own size: a few nodes may expand to terabytes.
	maxFixed = 4 << 30
	// maxUnknown bounds the number of fixed values that are computed without
	// known sizes. The rest stays in the graph.
	maxUnknown = 256
)

// largeConstant is the size in bytes from which integers, too, become a weight
// instead of a constant in the graph.
const largeConstant = 64 << 10

// fixed returns the nodes whose outputs are the same in every run: they depend
// only on weights and constants, through stateless operations.
func (f *folding) fixed() map[string]bool {
	fixed := make(map[string]bool)
	for _, node := range topological(f.Graph.GetNode()) {
		fixed[node.GetName()] = f.isFixed(node, fixed)
	}
	return fixed
}

func (f *folding) isFixed(node *nodepb.NodeDef, fixed map[string]bool) bool {
	switch op := node.GetOp(); {
	case op == "VarHandleOp" || op == "ReadVariableOp":
		return true
	case op == "Placeholder" || controlFlow[op] || f.stateful(op):
		return false
	}
	if len(dataInputs(node)) < len(node.GetInput()) { // only in graphs with control flow
		return false
	}
	for _, in := range node.GetInput() {
		if !fixed[mustID(in).Node] {
			return false
		}
	}
	return true
}

// evaluate computes the fixed tensors that other nodes need and replaces them
// by weights or constants.
func (f *folding) evaluate(ctx context.Context) error {
	g, err := f.importGraph()
	if err != nil {
		return err
	}
	defer g.Close()
	list := f.frontier()
	if err := f.checkSizes(g, list); err != nil {
		return err
	}
	var group []TensorInfo
	var size int64
	unknown := 0
	flush := func() error {
		if len(group) == 0 {
			return nil
		}
		err := f.compute(ctx, group)
		group, size = nil, 0
		return err
	}
	for _, r := range list {
		port, err := describe(g, r)
		if err != nil {
			return err
		}
		if port.DataType.Size() <= 0 { // strings, resources, lists of tensors
			continue
		}
		n, err := byteSize(port.DataType, port.Shape)
		if err != nil {
			if unknown++; unknown > maxUnknown {
				continue
			}
			n = evaluationBytes / 4
		}
		if size+n > evaluationBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		port.Name = port.Tensor
		group = append(group, port)
		size += n
	}
	return flush()
}

// checkSizes checks that the fixed tensors needed for the list fit into memory,
// as far as their shapes are known.
func (f *folding) checkSizes(g *tensorflow.Graph, list []TensorID) error {
	checked := make(map[TensorID]int64)
	check := func(r TensorID) error {
		if _, ok := checked[r]; ok || r.Port == Control {
			return nil
		}
		port, err := describe(g, r)
		if err != nil {
			return err
		}
		checked[r] = 0
		if port.DataType.Size() <= 0 || port.Shape == nil || slices.Contains(port.Shape, -1) {
			return nil
		}
		n, err := byteSize(port.DataType, port.Shape)
		if err != nil || n > maxFixed {
			return fmt.Errorf("%q does not depend on the input and has the shape %v, more than the %d bytes allowed for such a value; save the model without it", r.Name(), port.Shape, int64(maxFixed))
		}
		checked[r] = n
		return nil
	}
	fixed := f.fixed()
	for _, node := range f.Graph.GetNode() {
		for _, in := range node.GetInput() {
			if r := mustID(in); fixed[r.Node] {
				if err := check(r); err != nil {
					return err
				}
			}
		}
	}
	left := maxFixed + 2*f.Bytes()
	for _, r := range list {
		if err := check(r); err != nil {
			return err
		}
		if left -= checked[r]; left < 0 {
			return fmt.Errorf("the values that do not depend on the input take more than %d bytes up to %q; save the model without them", maxFixed+2*f.Bytes(), r.Name())
		}
	}
	return nil
}

// frontier returns the fixed tensors used by outputs or by nodes that are not
// fixed, unless they are already weights or constants.
func (f *folding) frontier() []TensorID {
	fixed := f.fixed()
	x := newIndex(f.Graph.GetNode())
	final := func(node *nodepb.NodeDef) bool {
		switch node.GetOp() {
		case "VarHandleOp", "ReadVariableOp":
			return true
		case "Const":
			value := node.GetAttr()["value"].GetTensor()
			n, err := byteSize(attrType(node, "dtype"), shapeOf(value.GetTensorShape()))
			return err != nil || !isWeight(attrType(node, "dtype"), shapeOf(value.GetTensorShape()), n)
		}
		return false
	}
	seen := make(map[TensorID]bool)
	var list []TensorID
	need := func(s string) {
		r := mustID(s)
		if r.Port != Control && fixed[r.Node] && !seen[r] && !final(x.nodes[r.Node]) {
			seen[r] = true
			list = append(list, r)
		}
	}
	for _, node := range f.Graph.GetNode() {
		if !fixed[node.GetName()] {
			for _, in := range node.GetInput() {
				need(in)
			}
		}
	}
	for _, p := range f.Outputs {
		need(p.Tensor)
	}
	return list
}

// isWeight reports whether a fixed value is stored as a weight: arrays of real
// numbers, and large values of other types.
func isWeight(dt tensorflow.DataType, shape []int64, size int64) bool {
	switch dt {
	case tensorflow.Float32, tensorflow.Float64, tensorflow.Float16, tensorflow.BFloat16:
		return len(shape) > 0 && size > int64(dt.Size())
	}
	return size >= largeConstant
}

// compute runs the part of the graph that leads to the tensors and replaces
// them by their values.
func (f *folding) compute(ctx context.Context, wanted []TensorInfo) error {
	part := f.live(f.Graph.GetNode(), nil, wanted, f.Weights)
	loaded, err := part.Load(tensorflow.Config{DisableOptimizer: true})
	if err != nil {
		return err
	}
	defer loaded.Close()
	values, err := loaded.Run(ctx)
	if err != nil {
		return err
	}
	defer func() {
		for _, v := range values {
			v.Close()
		}
	}()
	redirect := make(map[TensorID]TensorID)
	for _, p := range wanted {
		redirect[mustID(p.Tensor)] = TensorID{}
	}
	// A replacement takes the node's name, unless the node is still needed.
	kept, taken := f.without(redirect)
	var nodes []*nodepb.NodeDef
	for i, p := range wanted {
		made, value := f.replacement(taken, mustID(p.Tensor), values[i])
		for _, node := range made {
			taken.nodes[node.GetName()] = node
		}
		nodes = append(nodes, made...)
		redirect[mustID(p.Tensor)] = value
	}
	f.setNodes(kept)
	f.redirect(redirect)
	f.setNodes(append(nodes, f.Graph.GetNode()...))
	return nil
}

// without returns the nodes, and their index, except those of which only the
// given tensors are used.
func (f *folding) without(tensors map[TensorID]TensorID) ([]*nodepb.NodeDef, *index) {
	needed := make(map[string]bool)
	for _, node := range f.Graph.GetNode() {
		for _, in := range node.GetInput() {
			r := mustID(in)
			if _, ok := tensors[r]; !ok {
				needed[r.Node] = true
			}
		}
	}
	gone := make(map[string]bool)
	for r := range tensors {
		gone[r.Node] = !needed[r.Node]
	}
	kept := slices.DeleteFunc(slices.Clone(f.Graph.GetNode()), func(node *nodepb.NodeDef) bool { return gone[node.GetName()] })
	return kept, newIndex(kept)
}

// replacement returns the nodes that hold v in place of the tensor at r.
func (f *folding) replacement(taken *index, r TensorID, v *tensorflow.Tensor) ([]*nodepb.NodeDef, TensorID) {
	data := bytes.Clone(v.Bytes())
	shape := append([]int64{}, v.Shape()...)
	name := taken.freeName(r.Node)
	if !isWeight(v.DataType(), shape, int64(len(data))) {
		return []*nodepb.NodeDef{ConstNode(name, v.DataType(), shape, data)}, TensorID{name, 0}
	}
	for i := 1; taken.nodes[name] != nil || taken.nodes[name+readSuffix] != nil; i++ {
		name = fmt.Sprintf("%s_%d", r.Node, i)
	}
	w := &Weight{Name: name, DataType: v.DataType(), Shape: shape, Data: data}
	f.Weights = append(f.Weights, w)
	handle, read := WeightNodes(w)
	return []*nodepb.NodeDef{handle, read}, TensorID{read.GetName(), 0}
}

// mergeConstants merges equal constants.
func (f *folding) mergeConstants() {
	if f.looping {
		return // a constant of a loop's body must stay in it
	}
	first := make(map[string]string)
	same := make(map[TensorID]TensorID)
	for _, node := range f.Graph.GetNode() {
		if node.GetOp() != "Const" {
			continue
		}
		key, err := proto.MarshalOptions{Deterministic: true}.Marshal(node.GetAttr()["value"].GetTensor())
		if err != nil {
			continue
		}
		if name, ok := first[string(key)]; ok {
			same[TensorID{node.GetName(), 0}] = TensorID{name, 0}
		} else {
			first[string(key)] = node.GetName()
		}
	}
	f.redirect(same)
}

// mergeWeights merges equal weights. The network's own weights have precedence
// over those made by folding, then the names decide.
func (f *folding) mergeWeights() {
	type key struct {
		dt    tensorflow.DataType
		shape string
		sum   [sha256.Size]byte
	}
	sorted := slices.Clone(f.Weights)
	slices.SortStableFunc(sorted, func(a, b *Weight) int { return strings.Compare(a.Name, b.Name) })
	first := make(map[key]*Weight)
	same := make(map[TensorID]TensorID)
	for _, w := range sorted {
		k := key{w.DataType, fmt.Sprint(w.Shape), sha256.Sum256(w.Data)}
		if v, ok := first[k]; ok {
			same[TensorID{w.Name + readSuffix, 0}] = TensorID{v.Name + readSuffix, 0}
		} else {
			first[k] = w
		}
	}
	f.redirect(same)
}
