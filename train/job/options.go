package job

import (
	"errors"

	"tkit/catalog"
	"tkit/datasets"
	"tkit/datasets/pictures"
	"tkit/internal/network"
	"tkit/registry"
	"tkit/train"
	"tkit/train/scratch"
)

// Options describe a run.
type Options struct {
	// Model is the name of the model for the new version.
	Model       string
	Description string
	// Data is the name of a registered dataset, or a path or URI.
	Data string
	// Base is the folder of a SavedModel, or a registered MODEL[@VERSION], for
	// a new head. Architecture is the network to train from scratch. One of
	// them is empty.
	Base, Architecture string
	// Tags, Signature, Input and Output select parts of the base's SavedModel.
	Tags                     []string
	Signature, Input, Output string
	// Preprocessing is a mode or the YAML file of a pipeline; the default is
	// that of the base or the architecture.
	Preprocessing string
	Split         datasets.Fractions
	LookAlikes    pictures.LookAlikes
	Seed          uint64

	// Cut, Balanced and Copies are for training a head: see
	// train.FineTuneOptions.
	Cut      string
	Balanced bool
	Copies   int
	// CacheSize is the maximal size of the bottleneck cache after the run, in
	// bytes.
	CacheSize int64
	// Training is for training from scratch, except Seed and Augment.
	Training scratch.Options
	Augment  scratch.Augment

	// Promote makes the version the model's production version.
	Promote bool
	By      registry.Change
	// Code, Command and Parameters are recorded in the version's lineage.
	Code       string
	Command    []string
	Parameters map[string]string
}

// ErrVary is returned for copies without any variation.
var ErrVary = errors.New("copies need a variation")

// OptionError is an error of one option, with the name of its flag on the
// command line.
type OptionError = catalog.OptionError

// of returns nil, or err as the error of an option.
func of(option string, err error) error {
	if err == nil {
		return nil
	}
	return &OptionError{Option: option, Err: err}
}

// Check validates the options themselves, before anything is opened.
func (o Options) Check() error {
	switch {
	case o.Base == "" && o.Architecture == "":
		return of("architecture", errors.New("choose a base for a new head, or an architecture to train from scratch"))
	case o.Base != "" && o.Architecture != "":
		return of("base", errors.New("choose either a base or an architecture"))
	case o.Data == "":
		return of("data", errors.New("the images are missing"))
	case o.Model == "":
		return of("name", errors.New("the name of the model is missing"))
	case o.Base != "" && o.Copies > 0 && o.Augment == (scratch.Augment{}):
		return of("copies", ErrVary)
	case o.Base != "" && o.Copies == 0 && o.Augment != (scratch.Augment{}):
		return of("copies", errors.New("only copies of images are varied: set the number of copies"))
	}
	if err := o.LookAlikes.Check(o.Split); err != nil {
		return err
	}
	if o.Cut != "" && o.Cut != train.AutoCut {
		if _, err := network.ParseCut(o.Cut); err != nil {
			return of("cut", err)
		}
	}
	return of("name", registry.CheckModelName(o.Model))
}
