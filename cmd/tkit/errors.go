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
	"tkit/internal/commandline"
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
	{job.ErrInput, "--input"},
	{job.ErrOutput, "--output"},
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
	{access.ErrUnregistered, "`tkit datasets list` shows those that you may see"},
	{catalog.ErrShared, "--database, TKIT_DATABASE"},
	{catalog.ErrNotInitialised, "`tkit --database ADDRESS database init` initialises it"},
	{registry.ErrEmpty, "`tkit train --help` shows how to register one"},
	{registry.ErrAliased, "`tkit registry remove-alias MODEL@ALIAS` removes one"},
	{registry.ErrDeprecated, "`tkit registry properties MODEL@VERSION --state available` makes it available"},
	{registry.ErrBound, "`tkit registry bindings` lists the applications"},
	{access.ErrInUse, "`tkit registry remove MODEL@VERSION` removes one"},
	{registry.ErrUncertain, "`tkit registry verify` lists the problems"},
	{store.ErrNotInstalled, "`tkit plugins install PATH` installs it"},
}

const acceptHint = "`tkit access accept --reason TEXT` accepts it"

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
	if h := hint(err); h != "" {
		err = fmt.Errorf("%w (%s)", err, h)
	}
	if unknown := new(catalog.UnknownError); errors.As(err, &unknown) {
		return commandline.Usage(err)
	}
	return err
}

// hint returns what fixes an error, or "". A command is complete, except for words in
// capitals.
func hint(err error) string {
	for _, h := range hints {
		if errors.Is(err, h.err) {
			return h.hint
		}
	}
	object, alias, contract := new(access.ObjectError), new(registry.AliasError), new(host.ContractError)
	switch {
	case errors.As(err, &object):
		return objectHint(object)
	case errors.As(err, &alias) && alias.Ref.Alias == registry.Production:
		return fmt.Sprintf("`tkit registry promote %s@%d` promotes the newest version", alias.Ref.Model, alias.Latest)
	case errors.As(err, &alias):
		return fmt.Sprintf("`tkit registry promote --alias %s %s@%d` promotes the newest version", alias.Ref.Alias, alias.Ref.Model, alias.Latest)
	case errors.As(err, &contract):
		return "`tkit plugins new NAME` begins a project with it"
	}
	return ""
}

func objectHint(err *access.ObjectError) string {
	name := err.Object.Name()
	switch {
	case errors.Is(err, access.ErrUnprotected):
		return fmt.Sprintf("`tkit registry protect %s` gives it one", name)
	case errors.Is(err, access.ErrNoDatasets):
		return fmt.Sprintf("`tkit datasets add %s FOLDER` registers it", name)
	case errors.Is(err, access.ErrRegistered):
		return fmt.Sprintf("`tkit datasets show %s` shows it", name)
	}
	return ""
}
