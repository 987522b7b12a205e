package savedmodel

import (
	"fmt"
	"maps"
	"strings"

	variablepb "github.com/wamuir/graft/tensorflow/core/framework/variable_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/network"
	"tkit/internal/savedmodel/bundle"
)

const (
	valueAttribute     = "VARIABLE_VALUE"
	trainableVariables = "trainable_variables"
	globalVariables    = "variables"
)

// An object is a variable in the object graph of a TensorFlow 2 model. Names
// may repeat; nodes and keys are unique.
type object struct {
	node      int32 // in the model's object graph
	name      string
	key       string // in the checkpoint
	trainable bool
}

// captured maps the names of variables' nodes to variables in the model's
// object graph: a function of TensorFlow 2 lists the objects that it captures,
// and a call passes their nodes as its last arguments. Nodes with contradictory
// calls are left out.
func captured(meta *metapb.MetaGraphDef) map[string]int32 {
	objects := meta.GetObjectGraphDef().GetNodes()
	functions := meta.GetObjectGraphDef().GetConcreteFunctions()
	found := map[string]int32{}
	disputed := map[string]bool{}
	for _, n := range meta.GetGraphDef().GetNode() {
		bound := functions[n.GetAttr()["f"].GetFunc().GetName()].GetBoundInputs()
		args := n.GetInput()
		for len(args) > 0 && strings.HasPrefix(args[len(args)-1], "^") {
			args = args[:len(args)-1]
		}
		if len(bound) > len(args) {
			continue
		}
		for i, id := range bound {
			e, err := network.ParseTensorID(args[len(args)-len(bound)+i])
			if err != nil || id < 0 || int(id) >= len(objects) || objects[id].GetVariable() == nil {
				continue
			}
			if other, ok := found[e.Node]; ok && other != id {
				disputed[e.Node] = true
			}
			found[e.Node] = id
		}
	}
	maps.DeleteFunc(found, func(node string, _ int32) bool { return disputed[node] })
	return found
}

// savedObjects returns the variables in both object graphs of TensorFlow 2: the
// model's, which has the variables, and the checkpoint's, which has the keys.
// They are matched by the names of the edges from their roots.
func savedObjects(b *budget, meta *metapb.MetaGraphDef, r *bundle.Reader) ([]object, error) {
	model := meta.GetObjectGraphDef().GetNodes()
	if len(model) == 0 || !r.Has(bundle.ObjectGraphKey) {
		return nil, nil
	}
	values, err := r.Strings(bundle.ObjectGraphKey)
	if err != nil {
		return nil, err
	}
	graph := &metapb.TrackableObjectGraph{}
	if len(values) != 1 || unmarshal(values[0], graph) != nil {
		return nil, fmt.Errorf("the checkpoint's object graph is damaged")
	}
	saved := graph.GetNodes()
	var objects []object
	type pair struct{ model, saved int32 }
	seen := map[pair]bool{}
	for queue := []pair{{0, 0}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if seen[at] || at.model < 0 || at.saved < 0 || int(at.model) >= len(model) || int(at.saved) >= len(saved) {
			continue
		}
		seen[at] = true
		if err := b.spend(1 + len(saved[at.saved].GetChildren()) + len(model[at.model].GetChildren())); err != nil {
			return nil, err
		}
		if v := model[at.model].GetVariable(); v != nil {
			for _, a := range saved[at.saved].GetAttributes() {
				if a.GetName() == valueAttribute {
					objects = append(objects, object{at.model, v.GetName(), a.GetCheckpointKey(), v.GetTrainable()})
				}
			}
		}
		children := map[string]int32{}
		for _, c := range saved[at.saved].GetChildren() {
			children[c.GetLocalName()] = c.GetNodeId()
		}
		for _, c := range model[at.model].GetChildren() {
			if to, ok := children[c.GetLocalName()]; ok {
				queue = append(queue, pair{c.GetNodeId(), to})
			}
		}
	}
	return objects, nil
}

// trainable returns a function that reports whether a variable is trainable, by
// the model's object graph or by the collections of TensorFlow 1. In a model
// with neither, all variables count as trainable.
func trainable(meta *metapb.MetaGraphDef, objects []object) func(*variable, place) bool {
	byKey := map[string]bool{}
	for _, o := range objects {
		byKey[o.key] = byKey[o.key] || o.trainable
	}
	byName, speaks := map[string]bool{}, len(objects) > 0
	for _, collection := range []string{globalVariables, trainableVariables} {
		for _, b := range meta.GetCollectionDef()[collection].GetBytesList().GetValue() {
			v := &variablepb.VariableDef{}
			if proto.Unmarshal(b, v) == nil {
				byName[NodeName(v.GetVariableName())], speaks = collection == trainableVariables, true
			}
		}
	}
	return func(v *variable, at place) bool { return !speaks || byKey[at.key] || byName[v.node] }
}
