// Package architectures describes convolutional networks like their papers: one
// file per paper, with families as rows of the paper's table. A description
// contains every layer's output shape and parameters; the package is pure Go
// and needs no TensorFlow. Package builder turns a description into a
// TensorFlow graph.
//
// # Names
//
// A name is the family and its depth in lower case, the version of the design
// if there are several, and, after a hyphen, the variant:
//
//	resnet50            as in the paper
//	resnet50v1.5        a later version of the design
//	resnet50-keras      as in a library that differs
//	resnet20-cifar      for another task in the same paper
//	googlenet-bn        with batch normalisation
//
// # Adding one
//
// Write a file that begins with the paper's citation: the table as values, a
// function that composes the layers from it, with one row call per row of the
// table, and a function that lists the variants by define. Add that function to
// All, and the totals and the endpoints' shapes to the golden test, which fails
// without them.
package architectures

import (
	"fmt"
	"slices"
	"strings"

	"tkit/internal/preprocessing"
)

// An Architecture is a network that can be built for any number of classes and,
// within its topology's limits, any input size.
type Architecture struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Citation string `json:"citation"`
	// Input is the paper's height, width and channels.
	Input [3]int `json:"input"`
	// Classes is the paper's number of classes.
	Classes int `json:"classes"`
	// Preprocessing is what published weights expect, and a good default
	// otherwise.
	Preprocessing preprocessing.Preprocessing `json:"preprocessing"`
	// LearningRate is the maximum of the learning rate schedule for stochastic
	// gradient descent with momentum. 0 means the default, which suits networks
	// with batch normalisation or few layers.
	LearningRate float64 `json:"learning_rate,omitempty"`
	// Build composes the network. It fails if the input is too small for the
	// topology or a number is not positive.
	Build func(classes int, input [3]int) (*Graph, error) `json:"-"`
}

// Graph builds the network of the paper.
func (a Architecture) Graph() (*Graph, error) { return a.Build(a.Classes, a.Input) }

// All lists the architectures, oldest paper first.
func All() []Architecture {
	return slices.Concat(
		lenets(),
		alexNets(),
		zfNets(),
		vggs(),
		googLeNets(),
		inceptionV3s(),
		resNets(),
		cifarResNets(),
		resNetV2s(),
		efficientNetLites(),
	)
}

// Lookup finds an architecture by name. The error for an unknown name lists
// similar ones.
func Lookup(name string) (Architecture, error) {
	all := All()
	for _, a := range all {
		if a.Name == name {
			return a, nil
		}
	}
	if near := similar(name, all); len(near) > 0 {
		return Architecture{}, fmt.Errorf("no architecture %q: did you mean %s?", name, strings.Join(near, ", "))
	}
	return Architecture{}, fmt.Errorf("no architecture %q: see the list of architectures", name)
}

// trainedAt returns architectures with the learning rate used in their paper.
// Deep networks without batch normalisation do not learn at higher rates.
func trainedAt(rate float64, all ...Architecture) []Architecture {
	for i := range all {
		all[i].LearningRate = rate
	}
	return all
}

// define completes a row of a table: errors of Build get the architecture's
// name.
func define(name, title, citation string, input [3]int, classes int, mode string,
	build func(classes int, input [3]int) (*Graph, error)) Architecture {
	return Architecture{
		Name: name, Title: title, Citation: citation, Input: input, Classes: classes,
		Preprocessing: preprocessing.ForMode(mode, input[0], input[1], input[2]),
		Build: func(classes int, input [3]int) (*Graph, error) {
			if classes < 1 {
				return nil, fmt.Errorf("%s: %d classes: need at least one", name, classes)
			}
			g, err := build(classes, input)
			if err != nil {
				return nil, fmt.Errorf("%s for an input of %v: %w", name, Shape(input[:]), err)
			}
			return g, nil
		},
	}
}
