// Package builder turns the descriptions of package architectures into
// TensorFlow graphs: for inference, or for training with batch statistics,
// dropout and auxiliary heads. It adds no loss and no optimiser; every layer
// has a gradient in TensorFlow's C++ registry.
package builder

import (
	"fmt"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"tkit/architectures"
)

// A Mode is the purpose of a graph. The zero value is Inference.
type Mode struct {
	training   bool
	seed, step tf.Output
}

// Inference uses running statistics and omits dropout and auxiliary heads.
var Inference = Mode{}

// Training normalises by the batch's statistics, applies dropout and builds the
// auxiliary heads. Dropout masks depend only on seed, step (both int64 scalars,
// fed or read from a variable) and the layer's name, so that a run resumed at a
// step draws the same masks as an uninterrupted run.
func Training(seed, step tf.Output) Mode { return Mode{training: true, seed: seed, step: step} }

// A Variable is a weight in a TensorFlow graph.
type Variable struct {
	architectures.Variable
	// Handle is the resource for assignments; its shared name is the variable's
	// name, so that graphs built in one session share their weights.
	Handle tf.Output
	// Value is read by the layers: compute gradients with respect to it.
	Value tf.Output
}

// Built is a network in a TensorFlow graph.
type Built struct {
	// Images is the input, float32 [N,H,W,C]. Logits is [N,classes].
	Images, Logits tf.Output
	// Auxiliary lists the logits of the auxiliary heads, only in training.
	Auxiliary []tf.Output
	// Endpoints maps the names of the architecture's table to their tensors.
	Endpoints map[string]tf.Output
	// Variables are in the layers' order, without auxiliary heads in inference.
	Variables []Variable
	// Updates move the running statistics of batch normalisation; a training
	// step runs them once. They are empty in inference.
	Updates []*tf.Operation
}

// Build adds the network to the scope's graph, reading from images (float32,
// [N,H,W,C] with the graph's input size; N may be unknown). Each layer gets a
// sub-scope of its name, and each variable its name below the scope.
func Build(s *op.Scope, g *architectures.Graph, images tf.Output, m Mode) (*Built, error) {
	if !m.training {
		g = g.Serving()
	}
	b := &build{
		mode:    m,
		outputs: map[string]tf.Output{architectures.Input: images},
		built:   &Built{Images: images, Endpoints: map[string]tf.Output{}},
	}
	for _, l := range g.Layers {
		in, err := inputs(g, l)
		if err != nil {
			return nil, err
		}
		b.outputs[l.Name] = b.layer(s.SubScope(l.Name), l, in)
		if err := s.Err(); err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.Name, err)
		}
	}
	b.built.Logits = b.outputs[g.Logits]
	for endpoint, layer := range g.Outputs() {
		b.built.Endpoints[endpoint] = b.outputs[layer]
	}
	for _, name := range g.Auxiliary {
		if out, ok := b.outputs[name]; ok {
			b.built.Auxiliary = append(b.built.Auxiliary, out)
		}
	}
	return b.built, nil
}

// build is the state of one Build.
type build struct {
	mode    Mode
	outputs map[string]tf.Output
	built   *Built
}

func inputs(g *architectures.Graph, l architectures.Layer) ([]architectures.Shape, error) {
	shapes := make([]architectures.Shape, len(l.Inputs))
	for i, name := range l.Inputs {
		var err error
		if shapes[i], err = g.Shape(name); err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.Name, err)
		}
	}
	return shapes, nil
}

// variables declares the layer's weights and returns them by their role.
func (b *build) variables(s *op.Scope, l architectures.Layer) map[string]Variable {
	byRole := make(map[string]Variable, len(l.Variables))
	for _, v := range l.Variables {
		role := v.Name[len(l.Name)+1:]
		declared := Variable{Variable: v, Handle: handle(s, role, v)}
		if declared.Handle.Op != nil {
			declared.Value = add(s, tf.OpSpec{Type: "ReadVariableOp", Name: role + "/read",
				Input: []tf.Input{declared.Handle}, Attrs: map[string]any{"dtype": tf.Float}})
		}
		byRole[role] = declared
		b.built.Variables = append(b.built.Variables, declared)
	}
	return byRole
}

func handle(s *op.Scope, name string, v architectures.Variable) tf.Output {
	return add(s, tf.OpSpec{Type: "VarHandleOp", Name: name, Attrs: map[string]any{
		"dtype": tf.Float, "shape": tf.MakeShape(dims(v.Shape)...), "shared_name": v.Name}})
}

// add is for operations whose node needs a given name, which the generated
// wrappers do not allow.
func add(s *op.Scope, spec tf.OpSpec) tf.Output {
	o := s.AddOperation(spec)
	if o == nil {
		return tf.Output{} // the scope holds the error
	}
	return o.Output(0)
}

func dims(shape []int) []int64 {
	out := make([]int64, len(shape))
	for i, d := range shape {
		out[i] = int64(d)
	}
	return out
}
