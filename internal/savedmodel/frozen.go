package savedmodel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"

	"tkit/internal/network"
	"tkit/internal/savedmodel/bundle"
)

// FrozenOptions select the part of a frozen graph to read.
type FrozenOptions struct {
	// Output names the node to use as output. The default is every node of real
	// numbers that no other node takes.
	Output string
	// Note, if set, is called with a sentence for each omission or change that
	// the user should know.
	Note func(string)
}

// ReadFrozen reads a frozen graph: a GraphDef in a file, whose weights are
// constants. Its placeholders become the inputs. Inputs and outputs have the
// names of their nodes. Large constants become weights, as in [Read].
func ReadFrozen(ctx context.Context, path string, o FrozenOptions) (*network.Network, error) {
	n, err := readFrozen(ctx, path, o)
	if err != nil {
		return nil, fmt.Errorf("read frozen graph %s: %w", path, err)
	}
	return n, nil
}

func readFrozen(ctx context.Context, path string, o FrozenOptions) (*network.Network, error) {
	raw, err := bundle.ReadFile(path, maxModelBytes)
	if err != nil {
		return nil, err
	}
	if !isGraphDef(raw) {
		return nil, fmt.Errorf("%w: not a frozen graph%s", ErrNotSavedModel, adviceForFile(path))
	}
	graph := &graphpb.GraphDef{}
	if err := unmarshal(raw, graph); err != nil {
		return nil, fmt.Errorf("it is damaged or cut short: %w", err)
	}
	meta := &metapb.MetaGraphDef{GraphDef: graph}
	b, ops, _, err := begin(ctx, meta)
	if err != nil {
		return nil, err
	}
	signature, err := frozenSignature(graph, ops, o.Output)
	if err != nil {
		return nil, err
	}
	if err := takesArrays(meta, signature); err != nil {
		return nil, err
	}
	p, err := answers(b, meta, signature, ops, nil)
	if err != nil {
		return nil, err
	}
	if len(p.variables) > 0 {
		return nil, fmt.Errorf("%w: it has %d variables, such as %q, whose values are in a checkpoint; freeze it first", ErrUnsupported, len(p.variables), p.variables[0].node)
	}
	for _, note := range p.notes {
		if o.Note != nil {
			o.Note(note)
		}
	}
	return p.withValues(ctx, meta, nil, "")
}

// frozenSignature describes the placeholders and outputs of a graph.
func frozenSignature(graph *graphpb.GraphDef, ops operations, output string) (*metapb.SignatureDef, error) {
	taken := map[string]bool{}
	for _, n := range graph.GetNode() {
		for _, in := range n.GetInput() {
			taken[NodeName(in)] = true
		}
	}
	s := &metapb.SignatureDef{Inputs: map[string]*metapb.TensorInfo{}, Outputs: map[string]*metapb.TensorInfo{}}
	info := func(n *nodepb.NodeDef, dt typespb.DataType) *metapb.TensorInfo {
		return &metapb.TensorInfo{Encoding: &metapb.TensorInfo_Name{Name: n.GetName() + ":0"}, Dtype: dt}
	}
	for _, n := range graph.GetNode() {
		dt := firstOutput(n, ops)
		switch {
		case strings.HasPrefix(n.GetOp(), "Placeholder"):
			in := info(n, dt)
			in.TensorShape = n.GetAttr()["shape"].GetShape()
			s.Inputs[n.GetName()] = in
		case n.GetName() == output, output == "" && !taken[n.GetName()] && n.GetOp() != "Const" && isReal(dt):
			s.Outputs[n.GetName()] = info(n, dt)
		}
	}
	switch {
	case len(s.Inputs) == 0:
		return nil, errors.New("it has no placeholder for images")
	case output != "" && len(s.Outputs) == 0:
		return nil, fmt.Errorf("it has no node %q", output)
	case len(s.Outputs) == 0:
		return nil, errors.New("it has no output of real numbers")
	}
	return s, nil
}

func isReal(dt typespb.DataType) bool {
	return slices.Contains([]typespb.DataType{typespb.DataType_DT_FLOAT, typespb.DataType_DT_DOUBLE, typespb.DataType_DT_HALF, typespb.DataType_DT_BFLOAT16}, dt)
}

// firstOutput is the type of a node's first output; invalid where it has none or
// the operation is not known.
func firstOutput(n *nodepb.NodeDef, ops operations) typespb.DataType {
	def := ops.known[n.GetOp()]
	if def == nil || len(def.GetOutputArg()) == 0 {
		return typespb.DataType_DT_INVALID
	}
	arg := def.GetOutputArg()[0]
	if arg.GetTypeAttr() != "" {
		return n.GetAttr()[arg.GetTypeAttr()].GetType()
	}
	return arg.GetType()
}
