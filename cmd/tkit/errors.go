package main

import (
	"errors"
	"fmt"

	"tkit/access"
	"tkit/access/audit"
	"tkit/architectures/pytorch"
	"tkit/catalog"
	"tkit/datasets/pictures"
	"tkit/inference"
	"tkit/plugins/host"
	"tkit/plugins/python"
	"tkit/plugins/store"
	"tkit/registry"
	"tkit/serve/server"
	"tkit/train"
	"tkit/train/base"
	"tkit/train/job"
)

// hints are the flags and commands that fix errors of packages, which know neither.
var hints = []struct {
	err  error
	hint string
}{
	{job.ErrChoose, "--input, --output"},
	{job.ErrVary, "--shift, --flip, --brightness, --contrast"},
	{catalog.ErrRegistering, "--wait"},
	{train.ErrCut, "--cut"},
	{pytorch.ErrScheme, "--scheme"},
	{base.ErrArchitecture, "--architecture"},
	{inference.ErrGPUs, "--gpus, --gpu-memory"},
	{server.ErrCertificate, "--tls-cert, --tls-key"},
	{pictures.ErrLookAlikes, "--look-alikes"},
	{store.ErrPackages, "--python, --wheels"},
	{python.ErrInterpreter, "--python"},
	{server.ErrQueue, "--max-queue, --max-images"},
	{audit.ErrMissing, acceptHint},
	{audit.ErrAhead, acceptHint},
	{access.ErrUnprotected, "`tkit registry protect` gives it one"},
	{access.ErrNoDatasets, "`tkit datasets add` registers one"},
	{access.ErrUnregistered, "`tkit datasets list` shows those that you may see"},
	{access.ErrRegistered, "`tkit datasets show` shows it"},
	{registry.ErrEmpty, "`tkit train` registers a model"},
	{registry.ErrNoAlias, "`tkit registry promote` promotes a version"},
	{registry.ErrUncertain, "`tkit registry verify` lists the problems"},
	{store.ErrNotInstalled, "`tkit plugins install` installs it"},
}

const acceptHint = "`tkit access accept` accepts it"

// withHints adds the flags and commands that fix an error to its text.
func withHints(err error) error {
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
	for _, r := range hints {
		if errors.Is(err, r.err) {
			return fmt.Errorf("%w (%s)", err, r.hint)
		}
	}
	if contract := new(host.ContractError); errors.As(err, &contract) {
		return fmt.Errorf("%w (`tkit plugins new` begins a project with it)", err)
	}
	return err
}
