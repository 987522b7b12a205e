package savedmodel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	oppb "github.com/wamuir/graft/tensorflow/core/framework/op_def_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/network"
)

// check refuses what a plain network cannot contain and strips attributes that
// describe the saving process: colocation, inferred shapes.
func (p *plainGraph) check(ops operations, saved *oppb.OpList) error {
	fed := map[string]bool{}
	for _, port := range p.inputs {
		fed[port.Tensor] = true
	}
	theirs := make(map[string]*oppb.OpDef, len(saved.GetOp()))
	for _, op := range saved.GetOp() {
		theirs[op.GetName()] = op
	}
	for _, n := range p.nodes {
		op, err := ops.find(n)
		if err != nil {
			return err
		}
		if n.GetOp() == "Placeholder" && !fed[n.GetName()+":0"] {
			return fmt.Errorf("%w: the output depends on placeholder %q, which is not an input of the signature", ErrUnsupported, n.GetName())
		}
		if err := network.CheckOperation(n); err != nil {
			return fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
		if err := stripAttributes(n, op, theirs[n.GetOp()]); err != nil {
			return err
		}
	}
	return nil
}

// checkInputs checks that every node has as many inputs as its operation takes.
func checkInputs(nodes []*nodepb.NodeDef, ops operations) error {
	for _, n := range nodes {
		op, err := ops.find(n)
		if err != nil {
			return err
		}
		want := 0
		for _, arg := range op.GetInputArg() {
			count, err := width(op, arg, n.GetAttr())
			if err != nil {
				return fmt.Errorf("node %q (%s): %w", n.GetName(), n.GetOp(), err)
			}
			want += count
		}
		have := 0
		for _, in := range n.GetInput() {
			if !strings.HasPrefix(in, "^") {
				have++
			}
		}
		if have != want {
			return fmt.Errorf("node %q (%s) has %d inputs, not %d", n.GetName(), n.GetOp(), have, want)
		}
		if n.Attr == nil {
			n.Attr = attributes{}
		}
	}
	return nil
}

// stripAttributes drops internal attributes, and attributes added by a newer
// TensorFlow if they have their default value.
func stripAttributes(n *nodepb.NodeDef, op, theirs *oppb.OpDef) error {
	known := map[string]bool{}
	for _, a := range op.GetAttr() {
		known[a.GetName()] = true
	}
	for _, name := range slices.Sorted(maps.Keys(n.GetAttr())) {
		v := n.GetAttr()[name]
		switch {
		case known[name]:
		case strings.HasPrefix(name, "_"):
			delete(n.Attr, name)
		default:
			if usual := attribute(theirs, nil, name); usual == nil || !proto.Equal(usual, v) {
				return fmt.Errorf("%w: node %q (%s) has the attribute %q, which this TensorFlow does not know; save the model with an older one", ErrUnsupported, n.GetName(), n.GetOp(), name)
			}
			delete(n.Attr, name)
		}
	}
	return nil
}
