package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/catalog/tables"
	"tkit/internal/commandline"
	"tkit/internal/present"
	"tkit/internal/printable"
)

// catalogueCommands are those of `tkit datasets` about registered datasets.
func catalogueCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "add", Usage: "register a dataset, whose owner then decides who may do what with it", ArgsUsage: "NAME FOLDER|URI",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "owner", Usage: "`PRINCIPAL`, such as user:olga or group:radiology", DefaultText: "you"},
				jsonFlag(),
			},
			Description: `Everything in the folder belongs to the dataset, whatever name is used for it: the
dataset's name, the path, a symbolic link, another protocol of the same cluster,
or a folder above it. A copy with the same content belongs to it too, once a run
has taken a snapshot of the dataset.

Only the owner of the home can register datasets. Data that is not registered is
restricted by the permissions of its files only.

Examples:
   tkit datasets add scans /data/scans
   tkit datasets add xrays hdfs://namenode/data/xrays --owner group:radiology`,
			Action: withCatalog(addDataset),
		},
		{
			Name: "list", Usage: "list the registered datasets that you may see",
			Flags:       []cli.Flag{purposeFlag(), jsonFlag()},
			Description: "Examples:\n   tkit datasets list",
			Action:      inHome(withCatalog(listDatasets)),
		},
		{
			Name: "show", Usage: "show a registered dataset, and what you may do with it", ArgsUsage: "DATASET",
			Flags:       []cli.Flag{purposeFlag(), jsonFlag()},
			Description: "Examples:\n   tkit datasets show scans",
			Action:      inHome(withCatalog(showDataset)),
		},
		{
			Name: "remove", Usage: "end the registration of a dataset; its data stays", ArgsUsage: "DATASET",
			Flags: []cli.Flag{&cli.StringFlag{Name: "reason", Usage: "the reason for the audit log, as `TEXT`"}, jsonFlag()},
			Description: "Then only the permissions of its files restrict the data. The owners of the\n" +
				"dataset and of the home may do this, unless a version is restricted by it. Its\n" +
				"grants end, also if the name is registered again.\n\n" +
				"Examples:\n   tkit datasets remove scans --reason \"the study has ended\"",
			Action: inHome(withCatalog(removeDataset)),
		},
		datasetACLCommand(),
		{
			Name: "snapshots", Usage: "list the snapshots of a registered dataset", ArgsUsage: "DATASET",
			Flags:       []cli.Flag{purposeFlag(), jsonFlag()},
			Description: "Examples:\n   tkit datasets snapshots scans",
			Action:      inHome(withCatalog(listSnapshots)),
		},
		auditCommand(),
	}
}

func datasetACLCommand() *cli.Command {
	return &cli.Command{
		Name:      "acl",
		Usage:     "show or change who may do what with a dataset",
		ArgsUsage: "DATASET [grant|deny PRINCIPAL RIGHTS | revoke NUMBER | owner PRINCIPAL]",
		Flags:     aclFlags(),
		Description: `Principals are user:NAME, group:NAME and service:NAME. Rights, separated by
commas:
   list      see that the dataset exists
   read      see the data
   train     train models on it
   use       use models that were trained on it
   download  download such models, or build on them
   promote   move the aliases of such models
   grant     change these rights, and delete such models

Only the owner has a right without a grant. A denial overrides every grant. A
change takes effect within seconds, also on servers, on loaded models and on runs
in progress, which stop.

Examples:
   tkit datasets acl scans
   tkit datasets acl scans grant group:radiology list,read,train,use
   tkit datasets acl scans grant service:triage use --expires 90d --only-for triage
   tkit datasets acl scans deny user:bob train,use --reason "left the study"
   tkit datasets acl scans revoke 3
   tkit datasets acl scans owner user:olga`,
		Action: aclAction(access.Dataset),
	}
}

func addDataset(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	d, err := k.RegisterDataset(c.Context, who, catalog.DatasetOptions{
		Name: c.Args().First(), URI: c.Args().Get(1), Owner: access.Principal(c.String("owner")),
	})
	if err != nil {
		return err
	}
	return commandline.ShowDone(c, d, "registered %s at %s, owned by %s\nlet others: tkit datasets acl %[1]s grant PRINCIPAL RIGHTS", d.Name, d.URI, d.Owner)
}

func removeDataset(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	name := c.Args().First()
	if err := k.RemoveDataset(c.Context, who, name, c.String("reason")); err != nil {
		return err
	}
	return commandline.ShowDone(c, map[string]any{"removed": name}, "removed %s; its data stays", name)
}

func listDatasets(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	listed, err := k.ListDatasets(c.Context, who)
	if err != nil {
		return err
	}
	return commandline.ShowList(c, listed, "no registered dataset that you may see; `tkit datasets add NAME FOLDER` registers one",
		tables.Dataset, tables.DatasetRow)
}

func showDataset(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	d, err := k.ShowDataset(c.Context, who, c.Args().First())
	if err != nil {
		return err
	}
	return commandline.Show(c, d, func(w io.Writer) error {
		printable.Fprintf(w, "%s at %s, owned by %s\nregistered %s by %s; %d snapshots\n\n", d.Name, d.URI, d.Owner, present.Time(d.Created), d.By, len(d.Snapshots))
		return tables.WriteRights(w, who, d.You)
	})
}

func listSnapshots(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	snapshots, err := k.DatasetSnapshots(c.Context, who, c.Args().First())
	if err != nil {
		return err
	}
	return commandline.ShowList(c, snapshots, "no run has taken a snapshot of it yet", tables.Snapshot, tables.SnapshotRow)
}
