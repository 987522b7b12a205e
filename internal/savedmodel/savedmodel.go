// Package savedmodel reads TensorFlow's SavedModels into the project's plain
// form and writes them.
//
// [Read] takes what Keras 3's export, tf.saved_model.save, TF1's simple_save
// and TF Hub leave on a disk: it picks a signature, inlines the functions that
// the signature calls, follows the variables that these capture to their
// values in the checkpoint, and leaves everything else behind. [Write] goes
// the other way and makes an ordinary SavedModel, which Python's TensorFlow 1
// and 2, TensorFlow Serving and Triton load.
//
// A SavedModel's layout and meaning are given by saved_model.proto,
// meta_graph.proto and function.proto of TensorFlow.
package savedmodel

import (
	"context"
	"errors"
	"fmt"

	"tkit/internal/network"
)

var (
	// ErrNotSavedModel is wrapped by the errors about folders that hold no
	// SavedModel that could be read.
	ErrNotSavedModel = errors.New("no SavedModel")
	// ErrUnsupported is wrapped by the errors about models that need what a
	// plain network cannot have: unknown operations, tables, loops over
	// functions, Python.
	ErrUnsupported = errors.New("unsupported")
)

// Options says which part of a SavedModel to read. The zero value takes the
// usual one.
type Options struct {
	// Tags are those of the meta graph, all of them. By default {"serve"},
	// else the only meta graph, else the one without tags (as in TF Hub's
	// modules of TensorFlow 1).
	Tags []string
	// Signature is the signature's key. By default "serving_default", else
	// "default" (TF Hub), else the only one.
	Signature string
	// Note, where it is set, is told in a sentence each what was left out or
	// changed that the caller's user should know.
	Note func(string)
}

// Read reads a signature of the SavedModel in dir.
//
// The result has the signature's inputs and outputs under their own names,
// and the weights that the answer depends on, once each, in memory of their
// own. Nothing is folded: batch norm and casts are as they were saved, so that
// the network can be trained further. Conditions that were settled at saving,
// such as whether the model is trained, are decided. What a model does beside
// answering (assertions, prints, counts) is left out.
//
// Names stay those of the model. Nodes of an inlined function are named as in
// the function; where two functions have the same, the name of the call comes
// first, as in TensorFlow.
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
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ops, err := registry()
	if err != nil {
		return nil, err
	}
	b := newBudget(ctx)
	restored, err := restoredFrom(b, meta, ops)
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
