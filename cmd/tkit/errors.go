package main

import (
	"errors"
	"fmt"

	"tkit/catalog"
	"tkit/datasets/pictures"
	"tkit/plugins/python"
	"tkit/plugins/store"
	"tkit/serve/server"
	"tkit/train"
	"tkit/train/job"
)

// remedies are the flags that fix errors of packages, which do not know about
// flags.
var remedies = []struct {
	err   error
	flags string
}{
	{job.ErrChoose, "--input, --output"},
	{job.ErrVary, "--shift, --flip, --brightness, --contrast"},
	{catalog.ErrRegistering, "--wait"},
	{train.ErrCut, "--cut"},
	{server.ErrCertificate, "--tls-cert, --tls-key"},
	{pictures.ErrLookAlikes, "--look-alikes"},
	{store.ErrPackages, "--python, --wheels"},
	{python.ErrInterpreter, "--python"},
}

// withFlags adds the flags that fix an error to its text.
func withFlags(err error) error {
	for { // errors.Join also wraps a single error
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok || len(joined.Unwrap()) != 1 {
			break
		}
		err = joined.Unwrap()[0]
	}
	var about *catalog.OptionError
	switch {
	case !errors.As(err, &about):
	case err == error(about):
		err = fmt.Errorf("--%s: %w", about.Option, about.Err)
	default:
		err = fmt.Errorf("%w (--%s)", err, about.Option)
	}
	for _, r := range remedies {
		if errors.Is(err, r.err) {
			return fmt.Errorf("%w (%s)", err, r.flags)
		}
	}
	return err
}
