package savedmodel

import (
	"fmt"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"

	"tkit/internal/network"
)

// A place is the location of a variable's value in the checkpoint.
type place struct{ key, slice string }

// restoredFrom returns, by the variables' keys, the places from which the
// model's restore operation reads values. Only that operation defines which
// entry belongs to which variable: names may differ.
func restoredFrom(b *budget, meta *metapb.MetaGraphDef, ops operations) (map[string]place, error) {
	restore := meta.GetSaverDef().GetRestoreOpName()
	if restore == "" {
		return nil, nil
	}
	x, err := newInliner(b, meta, ops)
	if err != nil {
		return nil, err
	}
	root := network.Output(restore, network.Control)
	if err := x.run(root); err != nil {
		return nil, fmt.Errorf("restore operation: %w", err)
	}
	nodes, err := x.reached([]network.TensorID{root})
	if err != nil {
		return nil, fmt.Errorf("restore operation: %w", err)
	}
	places := map[string]place{}
	for _, n := range nodes {
		switch n.GetOp() {
		case "Assign", "AssignVariableOp":
		case "Restore", "RestoreSlice":
			return nil, fmt.Errorf("%w: node %q (%s) reads a checkpoint of the format before TensorFlow 1.0", ErrUnsupported, n.GetName(), n.GetOp())
		default:
			continue
		}
		to, from, err := assignment(n)
		if err != nil {
			return nil, err
		}
		v := x.variableAt(to)
		if v == nil {
			continue // such as a table
		}
		p, ok := x.placeOf(from)
		if !ok {
			continue
		}
		if other, twice := places[variableKey(v)]; twice && other != p {
			return nil, fmt.Errorf("restore operation: it gives variable %q two values, %q and %q", v.GetName(), other.key, p.key)
		}
		places[variableKey(v)] = p
	}
	return places, nil
}

func assignment(n *nodepb.NodeDef) (to, from network.TensorID, err error) {
	if len(n.GetInput()) < 2 {
		return network.TensorID{}, network.TensorID{}, fmt.Errorf("node %q (%s) has too few inputs", n.GetName(), n.GetOp())
	}
	if to, err = network.ParseTensorID(n.GetInput()[0]); err == nil {
		from, err = network.ParseTensorID(n.GetInput()[1])
	}
	return to, from, err
}

// placeOf follows a value back to the output of RestoreV2 that it comes from.
func (g *graph) placeOf(e network.TensorID) (place, bool) {
	for range maxHops {
		at, err := g.resolve(e)
		if err != nil {
			return place{}, false
		}
		n := g.nodes[at.Node]
		in := 0
		switch n.GetOp() {
		case "RestoreV2":
			if len(n.GetInput()) < 3 {
				return place{}, false
			}
			key, ok1 := g.text(n.GetInput()[1], at.Port)
			slice, ok2 := g.text(n.GetInput()[2], at.Port)
			return place{key, slice}, ok1 && ok2
		case "Identity", "Reshape":
		case "IdentityN":
			in = at.Port
		default:
			return place{}, false
		}
		if in >= len(n.GetInput()) {
			return place{}, false
		}
		if e, err = network.ParseTensorID(n.GetInput()[in]); err != nil || e.Port == network.Control {
			return place{}, false
		}
	}
	return place{}, false
}

// text returns element i of a constant of strings.
func (g *graph) text(input string, i int) (string, bool) {
	e, err := network.ParseTensorID(input)
	if err != nil {
		return "", false
	}
	at, err := g.resolve(e)
	if err != nil || g.nodes[at.Node].GetOp() != "Const" {
		return "", false
	}
	values := g.nodes[at.Node].GetAttr()["value"].GetTensor().GetStringVal()
	if len(values) == 0 {
		return "", true // a constant of empty strings stores none
	}
	return string(values[min(i, len(values)-1)]), true // missing elements repeat the last
}
