package savedmodel

import (
	"fmt"
	"maps"
	"strings"

	variablepb "github.com/wamuir/graft/tensorflow/core/framework/variable_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/savedmodel/bundle"
)

const (
	valueAttribute     = "VARIABLE_VALUE"
	trainableVariables = "trainable_variables"
	globalVariables    = "variables"
)

// An object is a variable in the object graph of a model of TensorFlow 2.
// Names may repeat; nodes and keys do not.
type object struct {
	node      int32 // in the model's object graph
	name      string
	key       string // in the checkpoint
	trainable bool
}

// captured returns, by the names of variables' nodes, the variables of the
// model's object graph that they stand for: a function of TensorFlow 2 lists
// the objects that it captures, and a call hands over their nodes as its last
// arguments. A node that calls do not agree about is left out.
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
			e, err := parseEdge(args[len(args)-len(bound)+i])
			if err != nil || id < 0 || int(id) >= len(objects) || objects[id].GetVariable() == nil {
				continue
			}
			if other, ok := found[e.node]; ok && other != id {
				disputed[e.node] = true
			}
			found[e.node] = id
		}
	}
	maps.DeleteFunc(found, func(node string, _ int32) bool { return disputed[node] })
	return found
}

// savedObjects returns the variables of the two object graphs of TensorFlow 2:
// the model's, which knows the variables, and the checkpoint's, which knows the
// keys. They correspond by the names of the edges from their roots.
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

// trainable returns the function that says whether a variable is trained, as
// the model has it: by its object graph, or by the collections of TensorFlow 1.
// A model that has neither is taken to train all of them.
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
				name, _, _ := strings.Cut(v.GetVariableName(), ":")
				byName[name], speaks = collection == trainableVariables, true
			}
		}
	}
	return func(v *variable, at place) bool { return !speaks || byKey[at.key] || byName[v.node] }
}
