package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/registry"
)

// purposeFlag is on every command whose decision a purpose may change.
func purposeFlag() cli.Flag {
	return &cli.StringFlag{Name: "purpose", Usage: "the purpose, as `TEXT`; some grants are for one purpose only"}
}

// jsonFlag is on every command that prints something a program may want.
func jsonFlag() cli.Flag { return &cli.BoolFlag{Name: "json", Usage: "print JSON for programs"} }

// openCatalog opens the catalog of the home, and returns it with the caller: the
// account that runs the command. The caller of openCatalog closes the catalog.
func openCatalog(c *cli.Context) (*catalog.Catalog, access.Caller, error) {
	return openBy(c, catalog.Open)
}

func openBy(c *cli.Context, open openFunc) (*catalog.Catalog, access.Caller, error) {
	who, err := catalog.Self(c.String("purpose"))
	if err != nil {
		return nil, who, err
	}
	k, err := open(c.Context, options(c))
	return k, who, err
}

// options are those of the flags that every command has.
func options(c *cli.Context) catalog.Options {
	return catalog.Options{Home: c.Path("home"), Database: c.String("database")}
}

type openFunc func(context.Context, catalog.Options) (*catalog.Catalog, error)

// An operation is the action of a command on the catalog.
type operation func(c *cli.Context, k *catalog.Catalog, who access.Caller) error

// withCatalog makes an action of an operation. It creates the home if there is
// none.
func withCatalog(act operation) cli.ActionFunc { return within(catalog.Open, act) }

// reading makes an action of an operation that needs no home and creates none.
func reading(act operation) cli.ActionFunc { return within(catalog.OpenToRead, act) }

func within(open openFunc, act operation) cli.ActionFunc {
	return func(c *cli.Context) (err error) {
		k, who, err := openBy(c, open)
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
