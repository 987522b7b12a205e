package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/internal/commandline"
	"tkit/internal/present"
	"tkit/registry"
	"tkit/registry/versionpage"
)

// bindingCommands are the commands of `tkit registry` for applications.
func bindingCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "bind", Usage: "choose the version of a model that an application gets", ArgsUsage: "APPLICATION MODEL",
			Flags: append(changeFlags(), jsonFlag(),
				&cli.StringFlag{Name: "alias", Usage: "the application gets the version that the alias `NAME` names, and follows it", DefaultText: registry.Production},
				&cli.IntFlag{Name: "version", Usage: "the application gets version `N`, whatever the aliases name"}),
			Description: `An application without a binding gets the version in production. An alias or a
version to which an application is bound cannot be removed.

Examples:
   tkit registry bind web flowers --alias champion
   tkit registry bind kiosk flowers --version 7 --reason "validated"`,
			Action: inHome(withCatalog(bindApplication)),
		},
		{
			Name: "unbind", Usage: "let an application get the version in production again", ArgsUsage: "APPLICATION MODEL",
			Flags:       append(changeFlags(), jsonFlag()),
			Description: "Examples:\n   tkit registry unbind kiosk flowers",
			Action:      inHome(withCatalog(bindApplication)),
		},
		{
			Name: "bindings", Usage: "show which applications get which versions", ArgsUsage: "[MODEL]", Flags: []cli.Flag{jsonFlag()},
			Description: "Examples:\n   tkit registry bindings\n   tkit registry bindings flowers",
			Action:      inHome(withCatalog(showBindings)),
		},
	}
}

func bindApplication(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	change := registry.BindingChange{Application: c.Args().First(), Model: c.Args().Get(1), By: change(c)}
	change.To = registry.Choice{Alias: c.String("alias"), Version: c.Int("version")}
	if c.Command.Name == "bind" && change.To == (registry.Choice{}) {
		change.To.Alias = registry.Production
	}
	b, err := k.Bind(c.Context, who, change)
	if err != nil {
		return err
	}
	if c.Command.Name == "unbind" {
		return commandline.ShowDone(c, map[string]any{"unbound": change.Application, "model": change.Model}, "%s gets the version of %s in production", change.Application, change.Model)
	}
	return commandline.ShowDone(c, b, "%s gets %s of %s, since %s by %s%s", b.Application, versionpage.BindingRow(b)[2], b.Model, present.Time(b.Since), b.Actor, present.Prefixed(": ", b.Reason))
}

func showBindings(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	all, err := k.Bindings(c.Context, who, "", c.Args().First())
	if err != nil {
		return err
	}
	return commandline.ShowList(c, all, "no application is bound; all get the version in production", versionpage.BindingHeader, versionpage.BindingRow)
}

// showAssignments shows what a model's aliases and applications had at a time.
func showAssignments(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	at, err := registry.ParseTime(c.String("at"))
	if err != nil {
		return commandline.Usage(err)
	}
	if c.Args().First() == "" {
		return commandline.Usagef("--at shows the state of one model: name it")
	}
	s, err := k.AssignmentsAt(c.Context, who, c.Args().First(), at)
	if err != nil {
		return err
	}
	return commandline.Show(c, s, func(w io.Writer) error { return versionpage.WriteAssignments(w, s) })
}
