// Package train trains image classifiers from labelled images: with a new head
// on a pretrained base (FineTune), or from an architecture's initial weights
// (FromScratch). Both take a snapshot of the dataset, split it, and return a
// Result: two networks with their inputs, outputs and evaluation.
//
// A run prints nothing and registers nothing. It reports its progress to an
// Observer; the caller passes the Result to the registry.
package train
