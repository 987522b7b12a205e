package savedmodel

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"tkit/internal/network"
)

// front puts an export's front before its network. The network's input becomes a
// placeholder whose default is what the front computes: whoever feeds it cuts
// the front off, which then takes no part in the run.
func (b *builder) front(e Export) error {
	in, err := e.Network.Input("")
	if err != nil {
		return fmt.Errorf("front: %w", err)
	}
	f := e.Front
	if f.Signature == "" || f.Signature == signatureKey(e) {
		return fmt.Errorf("front: its signature %q must have a name of its own", f.Signature)
	}
	if f.Output.DataType != in.DataType || !fits(f.Output, in) {
		return fmt.Errorf("front: it gives %v %v and the network takes %v %v", f.Output.DataType, f.Output.Shape, in.DataType, in.Shape)
	}
	for _, n := range f.Nodes {
		if b.nodes[n.GetName()] != nil {
			return fmt.Errorf("front: the network has a node %q too", n.GetName())
		}
		b.add(proto.CloneOf(n))
	}
	from, err := parseEdge(f.Output.Tensor)
	if err != nil {
		return fmt.Errorf("front: %w", err)
	}
	to, err := parseEdge(in.Tensor)
	if err != nil {
		return fmt.Errorf("front: %w", err)
	}
	entry := b.nodes[to.node]
	entry.Op, entry.Input = "PlaceholderWithDefault", []string{from.String()}
	entry.Attr = attributes{"dtype": typeAttribute(in.DataType), "shape": shapeAttribute(in.Shape)}
	return nil
}

// fits says whether what one port gives another can take.
func fits(from, to network.Port) bool {
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
