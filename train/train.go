// Package train turns labelled images into a trained classifier: by a new head
// on a pretrained base (FineTune), or from an architecture's initial weights
// (FromScratch). Both take a snapshot of the dataset, split it, and end in a
// Result: two networks, what they expect and answer, and what they are worth.
//
// A run prints nothing and registers nothing. It tells an Observer how it goes;
// its caller hands the Result to the registry.
package train
