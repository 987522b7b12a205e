package train

import (
	"errors"

	"tkit/datasets"
	"tkit/internal/evaluation"
	"tkit/internal/network"
	"tkit/internal/preprocessing"
)

// A Result is a trained classifier: what a registry needs for a version.
type Result struct {
	// Trunk and Head are the two parts of the network. The trunk's only output
	// is "bottleneck"; the head's outputs are "logits", divided by the fitted
	// temperature, and "probabilities", their softmax.
	Trunk, Head *network.Network
	Cut         network.Cut
	// Labels name the classes in the order of the head's outputs.
	Labels        []string
	Preprocessing preprocessing.Preprocessing
	// Evaluation is on the test images, which influenced no choice.
	Evaluation *evaluation.Evaluation
	// Snapshot is the dataset without undecodable images; Report describes the
	// dataset.
	Snapshot *datasets.Snapshot
	Report   *datasets.Report
	Split    Counts
	// Sample is some encoded images, if possible not used to train the head: a
	// server compares precisions on them.
	Sample [][]byte
	// Seed is the seed of all random numbers.
	Seed uint64

	discard func() error
}

// Close unmaps the networks' files.
func (r *Result) Close() error { return errors.Join(r.Trunk.Close(), r.Head.Close()) }

// Kept tells the run that its result is stored elsewhere: data for resuming
// after an interruption is removed.
func (r *Result) Kept() error {
	if r.discard == nil {
		return nil
	}
	return r.discard()
}

// Counts are numbers of images.
type Counts struct {
	Train      int `json:"train"`
	Validation int `json:"validation"`
	Test       int `json:"test"`
}
