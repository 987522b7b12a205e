package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/internal/commandline"
	"tkit/registry"
	"tkit/registry/versionpage"
)

// propertyCommand shows and changes what may change about a model or a version.
func propertyCommand() *cli.Command {
	return &cli.Command{
		Name: "properties", Usage: "show or change the description, the tags and the state of a version or a model", ArgsUsage: "MODEL[@VERSION]",
		Flags: append(changeFlags(), jsonFlag(),
			&cli.StringFlag{Name: "description", Usage: "change the description to `TEXT`; an empty one removes it"},
			&cli.StringSliceFlag{Name: "tag", Usage: "change the tag `NAME=VALUE`; an empty value removes it; may be repeated"},
			&cli.StringFlag{Name: "state", Usage: "change the `STATE` of a version: deprecated or available"}),
		Description: `A deprecated version keeps its aliases and applications, and gets no new ones.

Examples:
   tkit registry properties flowers@7
   tkit registry properties flowers@7 --description "with photographs of May" --tag stage=validated
   tkit registry properties flowers@6 --state deprecated --reason "worse on tulips"`,
		Action: inHome(withCatalog(showProperties)),
	}
}

func showProperties(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	ref, err := registry.ParseVersions(c.Args().First())
	if err != nil {
		return err
	}
	if c.IsSet("description") || c.IsSet("tag") || c.IsSet("state") {
		change := registry.PropertyChange{Model: ref.Model, Version: ref.Version, State: registry.State(c.String("state")), By: change(c)}
		if text := c.String("description"); c.IsSet("description") {
			change.Description = &text
		}
		if change.Tags, err = registry.ParseTags(c.StringSlice("tag")); err != nil {
			return err
		}
		if err := k.ChangeProperties(c.Context, who, change); err != nil {
			return err
		}
	}
	p, err := k.Properties(c.Context, who, ref.Model, ref.Version)
	if err != nil {
		return err
	}
	return commandline.Show(c, p, func(w io.Writer) error { return versionpage.WriteProperties(w, p) })
}
