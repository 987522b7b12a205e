// Package savedmodel reads TensorFlow's SavedModels into the project's plain
// form and writes them.
//
// [Read] accepts the output of Keras 3's export, tf.saved_model.save, TF1's
// simple_save and TF Hub: it chooses a signature, inlines the functions that
// the signature calls, finds the values of captured variables in the
// checkpoint, and drops everything else. [Write] writes an ordinary SavedModel,
// which Python's TensorFlow 1 and 2, TensorFlow Serving and Triton load.
//
// The format is defined by saved_model.proto, meta_graph.proto and
// function.proto of TensorFlow.
package savedmodel

import (
	"context"
	"errors"
	"fmt"

	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"

	"tkit/internal/network"
)

var (
	// ErrNotSavedModel is wrapped by errors about folders that contain no
	// readable SavedModel.
	ErrNotSavedModel = errors.New("not a SavedModel")
	// ErrUnsupported is wrapped by errors about models that need what a plain
	// network cannot contain: unknown operations, tables, loops over functions,
	// Python.
	ErrUnsupported = errors.New("unsupported")
)

// Options selects the part of a SavedModel to read. The zero value selects the
// defaults.
type Options struct {
	// Tags are all tags of the meta graph. The default is {"serve"}, else the
	// only meta graph, else the one without tags (as in TF Hub's modules for
	// TensorFlow 1).
	Tags []string
	// Signature is the signature's key. The default is "serving_default", else
	// "default" (TF Hub), else the only one.
	Signature string
	// Note, if set, is called with a sentence for each omission or change that
	// the user should know.
	Note func(string)
}

// Read reads a signature of the SavedModel in dir.
//
// The result has the signature's inputs and outputs under their names, and the
// weights that the outputs depend on, in its own memory. Nothing is folded:
// batch norm and casts stay as saved, so that the network can be trained
// further. Conditions that are constant in the saved model, such as whether it
// is being trained, are resolved. Side effects (assertions, prints, counters)
// are removed.
//
// Names stay those of the model. Nodes of an inlined function keep their names
// in the function. If two functions have the same name for a node, the name of
// the call is prefixed, as in TensorFlow.
func Read(ctx context.Context, dir string, o Options) (*network.Network, error) {
	n, err := read(ctx, dir, o)
	if err != nil {
		return nil, fmt.Errorf("read SavedModel %s: %w", dir, err)
	}
	return n, nil
}

func read(ctx context.Context, dir string, o Options) (*network.Network, error) {
	model, err := load(dir)
	if err != nil {
		return nil, err
	}
	meta, err := chooseMetaGraph(model, o.Tags)
	if err != nil {
		return nil, err
	}
	signature, err := chooseSignature(meta, o.Signature)
	if err != nil {
		return nil, err
	}
	b, ops, restored, err := begin(ctx, meta)
	if err != nil {
		return nil, err
	}
	if err := takesArrays(meta, signature); err != nil {
		return nil, err
	}
	p, err := answers(b, meta, signature, ops, restored)
	if err != nil {
		return nil, err
	}
	for _, note := range p.notes {
		if o.Note != nil {
			o.Note(note)
		}
	}
	return p.withValues(ctx, meta, restored, dir)
}

// begin returns what every reading of a meta graph begins with: a budget, the
// known operations, and where the checkpoint has the variables.
func begin(ctx context.Context, meta *metapb.MetaGraphDef) (*budget, operations, map[string]place, error) {
	if err := ctx.Err(); err != nil {
		return nil, operations{}, nil, err
	}
	ops, err := registry()
	if err != nil {
		return nil, operations{}, nil, err
	}
	b := newBudget(ctx)
	restored, err := restoredFrom(b, meta, ops)
	return b, ops, restored, err
}
