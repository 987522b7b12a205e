package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/internal/commandline"
	"tkit/registry"
)

// purposeFlag is on every command whose decision a purpose may change.
func purposeFlag() cli.Flag {
	return &cli.StringFlag{Name: "purpose", Usage: "the purpose, as `TEXT`; some grants are for one purpose only"}
}

// openCatalog opens the catalog of the home, and returns the caller that the
// command acts for: the account that runs it. The catalog is to be closed.
func openCatalog(c *cli.Context) (*catalog.Catalog, access.Caller, error) {
	who, err := catalog.Self(c.String("purpose"))
	if err != nil {
		return nil, who, err
	}
	k, err := catalog.Open(c.Context, catalog.Options{Home: c.Path("home")})
	return k, who, err
}

// An operation is the action of a command on the catalog.
type operation func(c *cli.Context, k *catalog.Catalog, who access.Caller) error

// withCatalog makes an action of an operation that takes between least and most
// arguments.
func withCatalog(least, most int, act operation) cli.ActionFunc {
	return func(c *cli.Context) (err error) {
		if err := commandline.CheckArguments(c, least, most); err != nil {
			return err
		}
		k, who, err := openCatalog(c)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, k.Close()) }()
		return act(c, k, who)
	}
}

// withVersion makes an operation of one on the version or alias that the first
// argument names.
func withVersion(act func(c *cli.Context, k *catalog.Catalog, who access.Caller, ref registry.Ref) error) operation {
	return func(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
		ref, err := registry.ParseRef(c.Args().First())
		if err != nil {
			return err
		}
		return act(c, k, who, ref)
	}
}

func completeModels(c *cli.Context) { completeRegistry(c, false) }

func completeVersions(c *cli.Context) { completeRegistry(c, true) }

// completeRegistry prints the names of models, and of versions and aliases, that
// the shell may offer.
func completeRegistry(c *cli.Context, versions bool) {
	complete(c, func(k *catalog.Catalog, who access.Caller) error {
		models, err := k.ListModels(c.Context, who)
		for _, m := range models {
			fmt.Fprintln(c.App.Writer, m.Name)
			if !versions {
				continue
			}
			for _, a := range m.Aliases {
				fmt.Fprintln(c.App.Writer, registry.Ref{Model: m.Name, Alias: a.Name})
			}
			for v := m.Latest; v > 0; v-- {
				fmt.Fprintln(c.App.Writer, registry.Ref{Model: m.Name, Version: v})
			}
		}
		return err
	})
}

// completeDatasets prints the names of the datasets that the caller may list. This
// is recorded as any listing is.
func completeDatasets(c *cli.Context) {
	if c.NArg() > 0 {
		return
	}
	complete(c, func(k *catalog.Catalog, who access.Caller) error {
		listed, err := k.ListDatasets(c.Context, who)
		for _, d := range listed {
			fmt.Fprintln(c.App.Writer, d.Name)
		}
		return err
	})
}

// complete lets names print what the shell may offer. It makes no home, and prints
// no error: the shell would offer it.
func complete(c *cli.Context, names func(k *catalog.Catalog, who access.Caller) error) {
	if catalog.Exists(c.Path("home")) != nil {
		return
	}
	k, who, err := openCatalog(c)
	if err != nil {
		return
	}
	defer k.Close()
	_ = names(k, who)
}
