package train

import (
	"errors"

	"tkit/datasets"
	"tkit/internal/evaluation"
	"tkit/internal/network"
	"tkit/internal/preprocessing"
)

// A Result is a trained classifier: what a registry needs to keep a version.
type Result struct {
	// Trunk and Head are the two parts of the network. The trunk's only output
	// is "bottleneck"; the head's outputs are "probabilities", at the fitted
	// temperature, and "logits" before their softmax.
	Trunk, Head *network.Network
	Cut         Cut
	// Labels name the classes in the order of the head's outputs.
	Labels        []string
	Preprocessing preprocessing.Preprocessing
	// Evaluation is on the test images, which nothing was chosen by.
	Evaluation *evaluation.Evaluation
	// Snapshot is the dataset less what could not be decoded; Report says what
	// was found in it.
	Snapshot *datasets.Snapshot
	Report   *datasets.Report
	Split    Counts
	// Sample is some images, encoded, that the head was not trained on where
	// there are such: a server compares precisions on them.
	Sample [][]byte
	// Seed is the one that everything drawn was drawn from.
	Seed uint64

	discard func() error
}

// Close lets go of the networks' mapped files.
func (r *Result) Close() error { return errors.Join(r.Trunk.Close(), r.Head.Close()) }

// Kept tells the run that its result is safe elsewhere: what it kept to go on
// from after an interruption is removed.
func (r *Result) Kept() error {
	if r.discard == nil {
		return nil
	}
	return r.discard()
}

// Cut says where a network is parted into trunk and head.
type Cut struct {
	Endpoint string       `json:"endpoint"`
	Pool     network.Pool `json:"pool,omitempty"`
}

// Counts are numbers of images.
type Counts struct {
	Train      int `json:"train"`
	Validation int `json:"validation"`
	Test       int `json:"test"`
}
