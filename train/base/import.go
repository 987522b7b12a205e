package base

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tkit/access"
	"tkit/catalog"
	"tkit/internal/bases"
	"tkit/internal/inputfile"
	"tkit/internal/preprocessing"
	"tkit/registry"
	"tkit/registry/export"
)

// Whether the weights of a base were trained.
const (
	Pretrained = "pretrained"
	Random     = "random"
)

// Options describe a base to store.
type Options struct {
	Source
	Name string
	// Input and Output select among the network's inputs and outputs where it has
	// several; see bases.Options.
	Input string
	// Preprocessing is a mode or the path of a YAML file of steps; the default is
	// what the source says.
	Preprocessing string
	// Labels is the path of a file with the name of a class in each line, in the
	// order of the outputs; "" where the classes are not known.
	Labels string
	// Weights is Pretrained or Random. The default is Random where all biases and
	// statistics have the values that networks begin with, else Pretrained.
	Weights string
	// Licence and Origin say under which terms the weights may be used and where
	// they are from.
	Licence, Origin string
}

// An OptionError is an error of one option.
type OptionError = catalog.OptionError

func of(option string, err error) error {
	if err == nil {
		return nil
	}
	return &OptionError{Option: option, Err: err}
}

// Import reads a network, checks that heads can be trained on it, and stores it.
func Import(ctx context.Context, c *catalog.Catalog, who access.Caller, o Options) (*registry.BaseManifest, error) {
	if o.Weights != "" && o.Weights != Pretrained && o.Weights != Random {
		return nil, of("weights", fmt.Errorf("%q is neither %s nor %s", o.Weights, Pretrained, Random))
	}
	if err := registry.CheckBaseName(o.Name); err != nil {
		return nil, err
	}
	var read *Network
	defer func() {
		if read != nil {
			read.Close()
		}
	}()
	return c.ImportBase(ctx, who, o.Name, func(ctx context.Context) (n registry.NewBase, err error) {
		if read, err = Read(ctx, o.Source); err != nil {
			return n, err
		}
		return o.describe(ctx, read)
	})
}

// describe makes the registration of a network that was read.
func (o Options) describe(ctx context.Context, read *Network) (n registry.NewBase, err error) {
	usable, err := bases.Prepare(read.Network, bases.Options{Input: o.Input, Output: o.Output, Note: o.Note})
	if err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, usable.Network.Close()) }()
	p, err := o.preprocessing(ctx, read, usable)
	if err != nil {
		return n, of("preprocessing", err)
	}
	labels, err := o.labels(ctx, usable)
	if err != nil {
		return n, of("labels", err)
	}
	random := o.Weights == Random || o.Weights == "" && bases.Untrained(read.Network)
	if random && o.Note != nil {
		o.Note(registry.RandomWarning)
	}
	return registry.NewBase{
		Manifest: registry.BaseManifest{
			Signature: export.SignatureOf(read.Network), Architecture: o.Architecture, Scheme: read.Scheme, Random: random,
			Preprocessing: p, Labels: labels, Licence: o.Licence, Source: o.Origin,
		},
		Network: registry.FromEncoder(read.Network),
	}, nil
}

func (o Options) preprocessing(ctx context.Context, read *Network, usable *bases.Base) (p preprocessing.Preprocessing, err error) {
	if o.Preprocessing == "" && read.Unclear != "" {
		return p, fmt.Errorf("choose it: %s", read.Unclear)
	}
	if p, err = ChoosePreprocessing(ctx, o.Preprocessing, read.Preprocessing, usable); err != nil {
		return p, err
	}
	return p, usable.Accepts(p)
}

// labels reads the names of the classes.
func (o Options) labels(ctx context.Context, usable *bases.Base) ([]string, error) {
	if o.Labels == "" {
		return nil, nil
	}
	raw, err := inputfile.Read(ctx, o.Labels, inputfile.MaxText)
	if err != nil {
		return nil, err
	}
	labels := strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(raw), "\r\n", "\n"), "\n"), "\n")
	shape := usable.Network.Outputs[0].Shape
	if n := len(shape); n > 0 && shape[n-1] >= 0 && shape[n-1] != int64(len(labels)) {
		return nil, fmt.Errorf("%s has %d lines, and the network has %d outputs", o.Labels, len(labels), shape[n-1])
	}
	return labels, nil
}
