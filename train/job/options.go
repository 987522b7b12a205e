package job

import (
	"errors"

	"tkit/catalog"
	"tkit/datasets"
	"tkit/datasets/pictures"
	"tkit/registry"
	"tkit/train/scratch"
)

// Options describe a run.
type Options struct {
	// Model is the name to register a version of.
	Model       string
	Description string
	// Data is the name of a registered dataset, or a path or URI.
	Data string
	// Base is the folder of a SavedModel, or a registered MODEL[@VERSION], that
	// gets a new head. Architecture is the network to train from scratch. One of
	// them is empty.
	Base, Architecture string
	// Tags, Signature, Input and Output choose within the base's SavedModel.
	Tags                     []string
	Signature, Input, Output string
	// Preprocessing is a mode or the YAML file of a pipeline; by default it is
	// the base's or the architecture's own.
	Preprocessing string
	Split         datasets.Fractions
	LookAlikes    pictures.LookAlikes
	Seed          uint64

	// Cut, Balanced and Copies are for a head: see train.FineTuneOptions.
	Cut      string
	Balanced bool
	Copies   int
	// CacheSize is the number of bytes that the cache of bottlenecks may keep
	// after the run.
	CacheSize int64
	// Training is for a network from scratch, but for Seed and Augment.
	Training scratch.Options
	Augment  scratch.Augment

	// Promote makes the version the model's production version.
	Promote bool
	By      registry.Change
	// Code, Command and Parameters become part of the version's lineage.
	Code       string
	Command    []string
	Parameters map[string]string
}

// ErrVary is the error of copies that nothing varies.
var ErrVary = errors.New("copies need a way to vary")

// An OptionError says what is wrong with one option, by the name of its flag on the
// command line.
type OptionError = catalog.OptionError

// of returns nil, or err as the error of an option.
func of(option string, err error) error {
	if err == nil {
		return nil
	}
	return &OptionError{Option: option, Err: err}
}

// Check reports what is wrong with the options themselves, before anything is
// opened.
func (o Options) Check() error {
	switch {
	case o.Base == "" && o.Architecture == "":
		return of("architecture", errors.New("name a base, to put a new head on it, or an architecture, to train one from scratch"))
	case o.Base != "" && o.Architecture != "":
		return of("base", errors.New("give a base or an architecture, not both"))
	case o.Data == "":
		return of("data", errors.New("the images are missing"))
	case o.Model == "":
		return of("name", errors.New("the name of the model is missing"))
	case o.Base != "" && o.Copies > 0 && o.Augment == (scratch.Augment{}):
		return of("copies", ErrVary)
	case o.Base != "" && o.Copies == 0 && o.Augment != (scratch.Augment{}):
		return of("copies", errors.New("images are varied in copies only: say how many"))
	}
	return of("name", registry.CheckModelName(o.Model))
}
