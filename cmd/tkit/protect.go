package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/catalog/tables"
	"tkit/internal/commandline"
	"tkit/internal/present"
	"tkit/internal/printable"
	"tkit/registry"
)

// protectionCommands are those of `tkit registry` about rights on a model.
func protectionCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "access", Usage: "show what restricts a version, and what you may do with it", ArgsUsage: "MODEL[@VERSION|@ALIAS]",
			Flags: []cli.Flag{purposeFlag(), jsonFlag()},
			Description: `Everything that the version is made from must allow a right: the datasets that it
and its bases were trained on, and the policies of the models themselves. Changes
apply at once.

Examples:
   tkit registry access flowers@7`,
			Action: inHome(withCatalog(withVersion(showAccess))),
		},
		{
			Name: "protect", Usage: "give a model its own policy, in addition to those of its data", ArgsUsage: "MODEL",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "owner", Usage: "the owner: a `PRINCIPAL`, such as user:olga or group:radiology", DefaultText: "you"},
				purposeFlag(), jsonFlag(),
			},
			Description: `The model's owner then decides who may use, download and promote it. The datasets
that it was trained on must allow it too.

Examples:
   tkit registry protect flowers
   tkit registry acl flowers grant service:triage use`,
			Action: inHome(withCatalog(protectModel)),
		},
		{
			Name:      "acl",
			Usage:     "show or change who may do what with a protected model",
			ArgsUsage: "MODEL [grant|deny PRINCIPAL RIGHTS | revoke NUMBER | owner PRINCIPAL]",
			Flags:     aclFlags(),
			Description: `Rights, separated by commas: use, download (and build on), promote, and grant:
change these. A denial wins over every grant.

Examples:
   tkit registry acl flowers
   tkit registry acl flowers grant group:radiology use,promote
   tkit registry acl flowers revoke 3`,
			Action: aclAction(access.Model),
		},
	}
}

// declassificationCommands are those of `tkit registry` that lift restrictions.
func declassificationCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name:      "declassify",
			Usage:     "lift the restriction of a version by a dataset's policy, for one right and a limited time",
			ArgsUsage: "MODEL@VERSION DATASET",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "right", Usage: "the `RIGHT`: use, download or promote", Required: true},
				&cli.StringFlag{Name: "expires", Usage: "end it after `TIME`, such as 180d, or after a day, such as 2027-01-31", Required: true},
				&cli.StringFlag{Name: "reason", Usage: "the reason, as `TEXT`", Required: true},
				jsonFlag(),
			},
			Description: `Only the dataset's owner can do this. The dataset's policy then no longer decides
about that right. The policies of other datasets still apply, and versions that
are built on this one are not declassified.

Examples:
   tkit registry declassify flowers@7 scans --right use --expires 180d --reason "approved by the board, 2026-03"`,
			Action: inHome(withCatalog(withVersion(declassify))),
		},
		{
			Name: "reclassify", Usage: "end a declassification, by its number", ArgsUsage: "NUMBER",
			Flags: []cli.Flag{purposeFlag(), jsonFlag()},
			Description: `Examples:
   tkit registry reclassify 3`,
			Action: inHome(withCatalog(reclassify)),
		},
	}
}

func showAccess(c *cli.Context, k *catalog.Catalog, who access.Caller, ref registry.Ref) error {
	a, err := k.VersionAccess(c.Context, who, ref)
	if err != nil {
		return err
	}
	return commandline.Show(c, a, func(w io.Writer) error {
		if len(a.RestrictedBy) == 0 {
			_, err := printable.Fprintf(w, "nothing behind %s is restricted\n", a.Version)
			return err
		}
		for _, line := range tables.Restrictions(a) {
			printable.Fprintf(w, "%s\n", line)
		}
		fmt.Fprintln(w)
		return tables.WriteRights(w, who, a.You)
	})
}

func protectModel(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	model := c.Args().First()
	owner, err := k.ProtectModel(c.Context, who, model, access.Principal(c.String("owner")))
	if err != nil {
		return err
	}
	return commandline.ShowDone(c, map[string]any{"object": access.Model(model), "owner": owner},
		"%s is protected and owned by %s\nlet others: tkit registry acl %[1]s grant PRINCIPAL RIGHTS", model, owner)
}

func declassify(c *cli.Context, k *catalog.Catalog, who access.Caller, ref registry.Ref) error {
	expires, err := expiry(c, "expires")
	if err != nil {
		return err
	}
	e, err := k.Declassify(c.Context, who, catalog.DeclassifyOptions{
		Version: ref, Dataset: c.Args().Get(1), Right: access.Right(c.String("right")), Expires: expires, Reason: c.String("reason"),
	})
	if err != nil {
		return err
	}
	return commandline.ShowDone(c, e, "declassification %d: to %s %s, %s is no longer asked, until %s", e.ID, e.Right, e.Version, e.Dataset, present.Until(e.Expires))
}

func reclassify(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	id, err := commandline.ParseNumber(c.Args().First())
	if err != nil {
		return err
	}
	if err := k.Reclassify(c.Context, who, id); err != nil {
		return err
	}
	return commandline.ShowDone(c, map[string]any{"reclassified": id}, "took declassification %d back", id)
}
