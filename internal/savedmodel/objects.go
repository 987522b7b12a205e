package savedmodel

import (
	"fmt"
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
// Names may repeat; keys do not.
type object struct {
	name      string
	key       string // in the checkpoint
	trainable bool
}

// savedObjects returns the variables of the two object graphs of TensorFlow 2:
// the model's, which knows the variables, and the checkpoint's, which knows the
// keys. They correspond by the names of the edges from their roots.
func savedObjects(meta *metapb.MetaGraphDef, r *bundle.Reader) ([]object, error) {
	model := meta.GetObjectGraphDef().GetNodes()
	if len(model) == 0 || !r.Has(bundle.ObjectGraphKey) {
		return nil, nil
	}
	values, err := r.Strings(bundle.ObjectGraphKey)
	if err != nil {
		return nil, err
	}
	graph := &metapb.TrackableObjectGraph{}
	if len(values) != 1 || proto.Unmarshal(values[0], graph) != nil {
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
		if v := model[at.model].GetVariable(); v != nil {
			for _, a := range saved[at.saved].GetAttributes() {
				if a.GetName() == valueAttribute {
					objects = append(objects, object{v.GetName(), a.GetCheckpointKey(), v.GetTrainable()})
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
