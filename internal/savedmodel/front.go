package savedmodel

import (
	"fmt"
	"slices"
	"strings"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/network"
)

// front adds an export's front, followed by a second copy of the nodes that
// depend on the network's input, with the same weights. The first signature
// does not include the front, so that converters that do not know the front's
// operations can convert it. front returns the outputs of the copy.
func (b *builder) front(e Export) ([]network.TensorInfo, error) {
	in, err := e.Network.Input("")
	if err != nil {
		return nil, fmt.Errorf("front: %w", err)
	}
	f := e.Front
	if f.Signature == "" || f.Signature == signatureKey(e) {
		return nil, fmt.Errorf("front: the signature %q must have a different name", f.Signature)
	}
	if f.Output.DataType != in.DataType || !fits(f.Output, in) {
		return nil, fmt.Errorf("front: its output is %v %v, the network's input is %v %v", f.Output.DataType, f.Output.Shape, in.DataType, in.Shape)
	}
	for _, n := range f.Nodes {
		if b.nodes[n.GetName()] != nil {
			return nil, fmt.Errorf("front: the network already has a node %q", n.GetName())
		}
		b.add(proto.CloneOf(n))
	}
	from, err := network.ParseTensorID(f.Output.Tensor)
	if err != nil {
		return nil, fmt.Errorf("front: %w", err)
	}
	to, err := network.ParseTensorID(in.Tensor)
	if err != nil {
		return nil, fmt.Errorf("front: %w", err)
	}
	return b.copyBehind(to.Node, from.String(), f.Signature, e.Network.Outputs), nil
}

// copyBehind copies the nodes that depend on the node entry, replacing it by
// value, and describes the copies.
func (b *builder) copyBehind(entry, value, scope string, infos []network.TensorInfo) []network.TensorInfo {
	copies := map[string]string{} // the names of the nodes that depend on entry
	var behind []*nodepb.NodeDef
	for grown := true; grown; { // nodes may be in any order
		grown = false
		for _, n := range b.def.GetNode() {
			if copies[n.GetName()] == "" && dependsOn(n, entry, copies) {
				copies[n.GetName()] = b.free(scope + "/" + n.GetName())
				behind = append(behind, n)
				grown = true
			}
		}
	}
	for _, n := range behind {
		c := proto.CloneOf(n)
		c.Name = copies[n.GetName()]
		delete(c.Attr, "_class") // a copy must not be colocated with the original
		for i, input := range c.GetInput() {
			if name := NodeName(input); name == entry {
				c.Input[i] = value
			} else if copies[name] != "" {
				c.Input[i] = strings.Replace(input, name, copies[name], 1)
			}
		}
		b.add(c)
	}
	moved := slices.Clone(infos)
	for i, p := range infos {
		if name := NodeName(p.Tensor); name == entry {
			moved[i].Tensor = value
		} else if copies[name] != "" {
			moved[i].Tensor = strings.Replace(p.Tensor, name, copies[name], 1)
		}
	}
	return moved
}

func dependsOn(n *nodepb.NodeDef, entry string, copies map[string]string) bool {
	return slices.ContainsFunc(n.GetInput(), func(input string) bool {
		name := NodeName(input)
		return name == entry || copies[name] != ""
	})
}

// fits reports whether the type and shape of one tensor match another's.
func fits(from, to network.TensorInfo) bool {
	if len(from.Shape) != len(to.Shape) {
		return to.Shape == nil
	}
	for i, d := range to.Shape {
		if d >= 0 && d != from.Shape[i] {
			return false
		}
	}
	return true
}
