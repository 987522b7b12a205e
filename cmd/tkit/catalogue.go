package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/internal/home"
	"tkit/internal/present"
	"tkit/internal/printable"
)

// catalogueCommands are those of `tkit datasets` about registered datasets.
func catalogueCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name:      "add",
			Usage:     "register a dataset: from then on its owner says who may do what with it",
			ArgsUsage: "NAME FOLDER|URI",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "owner", Usage: "`PRINCIPAL`, such as user:olga or group:radiology", DefaultText: "you"},
				jsonFlag(),
			},
			Description: `Everything at the place and below it belongs to the dataset, by whatever name
it is asked for: the dataset's, the path, a symbolic link, another protocol of
the same cluster, or a folder above it. A copy with the same content does too,
once a run has taken the dataset's snapshot.

Who owns the home registers datasets. What nobody registered is restricted by
nothing but its files' own permissions.

Examples:
   tkit datasets add scans /data/scans
   tkit datasets add xrays hdfs://namenode/data/xrays --owner group:radiology`,
			Action: withAuthority(2, 2, addDataset),
		},
		{
			Name:  "list",
			Usage: "list the registered datasets that you may see",
			Flags: []cli.Flag{purposeFlag(), jsonFlag()},
			Description: `Examples:
   tkit datasets list`,
			Action: inHome(withAuthority(0, 0, listDatasets)),
		},
		{
			Name:      "show",
			Usage:     "show a registered dataset, and what you may do with it",
			ArgsUsage: "NAME",
			Flags:     []cli.Flag{purposeFlag(), jsonFlag()},
			Description: `Examples:
   tkit datasets show scans`,
			BashComplete: completeDatasets,
			Action:       inHome(withAuthority(1, 1, showDataset)),
		},
		{
			Name:      "acl",
			Usage:     "show or change who may do what with a dataset",
			ArgsUsage: "NAME [grant|deny PRINCIPAL RIGHTS | revoke NUMBER | owner PRINCIPAL]",
			Flags:     aclFlags(),
			Description: `Principals are user:NAME, group:NAME and service:NAME. Rights, separated by
commas:
   list      see that it is there
   read      see the data
   train     train models on it
   use       ask models that were trained on it
   download  take such models' weights away, or build on them
   promote   move such models' aliases
   grant     change these

A denial wins over every grant. Nobody but the owner and those to whom it is
granted has a right. A change takes effect within seconds: on servers, on models
that are loaded, and on runs in progress, which stop.

Examples:
   tkit datasets acl scans
   tkit datasets acl scans grant group:radiology list,read,train,use
   tkit datasets acl scans grant service:triage use --expires 90d --only-for triage
   tkit datasets acl scans deny user:bob train,use --reason "left the study"
   tkit datasets acl scans revoke 3
   tkit datasets acl scans owner user:olga`,
			BashComplete: completeDatasets,
			Action: inHome(withAuthority(1, 4, func(c *cli.Context, a *asking) error {
				return changeACL(c, a, access.Dataset(c.Args().First()))
			})),
		},
		{
			Name:      "snapshots",
			Usage:     "list the contents that a registered dataset was found to have",
			ArgsUsage: "NAME",
			Flags:     []cli.Flag{purposeFlag(), jsonFlag()},
			Description: `Examples:
   tkit datasets snapshots scans`,
			BashComplete: completeDatasets,
			Action:       inHome(withAuthority(1, 1, listSnapshots)),
		},
		auditCommand(),
	}
}

// completeDatasets prints the names that the shell may offer: those that who asks
// may see, which is written down as any listing is. It makes no home.
func completeDatasets(c *cli.Context) {
	if home.Exists(c.Path("home")) != nil || c.NArg() > 0 {
		return
	}
	a, err := openAuthority(c)
	if err != nil {
		return
	}
	defer a.Close()
	p, err := a.policy(c)
	if err != nil {
		return
	}
	seen, err := a.ListDatasets(c.Context, p, a.who)
	if err != nil {
		return
	}
	for _, d := range seen {
		fmt.Fprintln(c.App.Writer, d.Name)
	}
}

func addDataset(c *cli.Context, a *asking) error {
	owner := a.who.Principal
	if given := c.String("owner"); given != "" {
		owner = access.Principal(given)
	}
	d, err := a.RegisterDataset(c.Context, a.who, c.Args().First(), c.Args().Get(1), owner)
	if err != nil {
		return err
	}
	return showDone(c, d, "registered %s at %s, owned by %s\nlet others: tkit datasets acl %[1]s grant PRINCIPAL RIGHTS", d.Name, d.URI, d.Owner)
}

func listDatasets(c *cli.Context, a *asking) error {
	p, err := a.policy(c)
	if err != nil {
		return err
	}
	seen, err := a.ListDatasets(c.Context, p, a.who)
	if err != nil {
		return err
	}
	return showList(c, seen, "no registered dataset that you may see; `tkit datasets add` registers one",
		[]string{"dataset", "owner", "snapshots", "registered", "place"}, func(d access.Registered) []string {
			return []string{d.Name, string(d.Owner), strconv.Itoa(len(p.Snapshots(d.Name))), present.Time(d.Created), d.URI}
		})
}

func showDataset(c *cli.Context, a *asking) error {
	p, err := a.policy(c)
	if err != nil {
		return err
	}
	d, err := p.Registered(c.Args().First())
	if err != nil {
		return err
	}
	object := access.Dataset(d.Name)
	if err := a.decide(c, access.Request{Action: "show", Right: access.List, Object: object}); err != nil {
		return err
	}
	type may struct {
		Right access.Right `json:"right"`
		access.Decision
	}
	var rights []may
	for _, r := range []access.Right{access.List, access.Read, access.Train, access.Use, access.Download, access.Promote, access.Administer} {
		answer, err := a.Decide(c.Context, p, a.who, access.Request{Right: r, Object: object})
		if err != nil {
			return err
		}
		rights = append(rights, may{r, answer})
	}
	shown := struct {
		access.Registered
		Snapshots []access.Snapshot `json:"snapshots"`
		You       []may             `json:"you"`
	}{d, p.Snapshots(d.Name), rights}
	return show(c, shown, func(w io.Writer) error {
		printable.Fprintf(w, "%s at %s, owned by %s\nregistered %s by %s; %d snapshots\n\n", d.Name, d.URI, d.Owner, present.Time(d.Created), d.By, len(p.Snapshots(d.Name)))
		rows := make([][]string, len(rights))
		for i, r := range rights {
			rows[i] = []string{string(r.Right), present.YesNo(r.Allowed), r.Reason}
		}
		return present.Table(w, []string{"right", string(a.who.Principal), "why"}, rows)
	})
}

func listSnapshots(c *cli.Context, a *asking) error {
	p, err := a.policy(c)
	if err != nil {
		return err
	}
	d, err := p.Registered(c.Args().First())
	if err != nil {
		return err
	}
	if err := a.decide(c, access.Request{Action: "snapshots", Right: access.List, Object: access.Dataset(d.Name)}); err != nil {
		return err
	}
	header := []string{"digest", "examples", "first found", "by"}
	return showList(c, p.Snapshots(d.Name), "no run has taken a snapshot of it yet", header, func(s access.Snapshot) []string {
		return []string{s.Digest, strconv.Itoa(s.Entries), present.Time(s.At), string(s.By)}
	})
}
