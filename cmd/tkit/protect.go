package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/internal/present"
	"tkit/internal/printable"
	"tkit/registry"
)

// protectionCommands are those of `tkit registry` about who may have a model.
func protectionCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name:      "access",
			Usage:     "show what restricts a version, and what you may do with it",
			ArgsUsage: "MODEL[@VERSION|@ALIAS]",
			Flags:     []cli.Flag{purposeFlag(), jsonFlag()},
			Description: `A version may be had by those whom everything behind it allows now: every
dataset that it and its bases were trained on, and every model's own policy.

Examples:
   tkit registry access flowers@7`,
			BashComplete: completeVersions,
			Action:       withRegistry(1, 1, showAccess),
		},
		{
			Name:      "protect",
			Usage:     "give a model a policy of its own, beside those of the data behind it",
			ArgsUsage: "MODEL",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "owner", Usage: "`PRINCIPAL`, such as user:olga or group:radiology", DefaultText: "you"},
				purposeFlag(), jsonFlag(),
			},
			Description: `From then on the model's owner says who may use, download and promote it; the
data behind it must allow it as well.

Examples:
   tkit registry protect flowers
   tkit registry acl flowers grant service:triage use`,
			BashComplete: completeModels,
			Action:       withRegistry(1, 1, protectModel),
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
			BashComplete: completeModels,
			Action: inHome(withAuthority(1, 4, func(c *cli.Context, a *asking) error {
				if err := registry.CheckModelName(c.Args().First()); err != nil {
					return err
				}
				return changeACL(c, a, access.Model(c.Args().First()))
			})),
		},
		{
			Name:      "declassify",
			Usage:     "lift a dataset's restriction from a version, for one right and a time",
			ArgsUsage: "MODEL@VERSION DATASET",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "right", Usage: "`RIGHT`: use, download or promote", Required: true},
				&cli.StringFlag{Name: "expires", Usage: "after `TIME`, such as 180d, or with a day, such as 2027-01-31", Required: true},
				&cli.StringFlag{Name: "reason", Usage: "say why: `TEXT`", Required: true},
				jsonFlag(),
			},
			Description: `Only the dataset's owner can. The version then needs nothing of that dataset
for that right; other datasets behind it, and versions that are built on it,
stay as they are.

Examples:
   tkit registry declassify flowers@7 scans --right use --expires 180d --reason "approved by the board, 2026-03"`,
			BashComplete: completeVersions,
			Action:       withRegistry(2, 2, declassify),
		},
		{
			Name:      "reclassify",
			Usage:     "take a declassification back, by its number",
			ArgsUsage: "NUMBER",
			Flags:     []cli.Flag{purposeFlag(), jsonFlag()},
			Description: `Examples:
   tkit registry reclassify 3`,
			Action: inHome(withAuthority(1, 1, reclassify)),
		},
	}
}

// namedLineage is lineageOf the version that a text names.
func namedLineage(c *cli.Context, r *registry.Registry, text string) (*registry.Manifest, []access.Origin, error) {
	ref, err := registry.ParseRef(text)
	if err != nil {
		return nil, nil, err
	}
	return lineageOf(c, r, ref)
}

// lineageOf resolves a reference to a version and what restricts it.
func lineageOf(c *cli.Context, r *registry.Registry, ref registry.Ref) (*registry.Manifest, []access.Origin, error) {
	m, err := r.Resolve(c.Context, ref)
	if err != nil {
		return nil, nil, err
	}
	lineage, err := catalog.Origins(c.Context, r, m)
	return m, lineage, err
}

// asked runs act with the authority of the home.
func asked(c *cli.Context, act func(a *asking) error) (err error) {
	a, err := openAuthority(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return act(a)
}

func showAccess(c *cli.Context, r *registry.Registry) error {
	m, lineage, err := namedLineage(c, r, c.Args().First())
	if err != nil {
		return err
	}
	return asked(c, func(a *asking) error {
		p, err := a.policy(c)
		if err != nil {
			return err
		}
		type may struct {
			Right access.Right `json:"right"`
			access.Decision
		}
		var rights []may
		for _, right := range []access.Right{access.Use, access.Download, access.Promote} {
			answer, err := a.Decide(c.Context, p, a.who, access.Request{Right: right, Lineage: lineage})
			if err != nil {
				return err
			}
			rights = append(rights, may{right, answer})
		}
		behind := p.Restrictions(lineage)
		lifted := p.Exemptions(m.Ref().String())
		shown := map[string]any{"version": m.Ref().String(), "restricted_by": behind, "declassified": lifted, "you": rights}
		return show(c, shown, func(w io.Writer) error {
			if len(behind) == 0 {
				_, err := printable.Fprintf(w, "nothing behind %s is restricted\n", m.Ref())
				return err
			}
			for _, line := range restrictions(p, m, behind, lifted) {
				printable.Fprintf(w, "%s\n", line)
			}
			fmt.Fprintln(w)
			var rows [][]string
			for _, may := range rights {
				rows = append(rows, []string{string(may.Right), present.YesNo(may.Allowed), may.Reason})
			}
			return present.Table(w, []string{"right", string(a.who.Principal), "why"}, rows)
		})
	})
}

// restrictions says what restricts a version, a sentence each.
func restrictions(p *access.Policy, m *registry.Manifest, behind []access.Object, lifted []access.Exemption) (lines []string) {
	for _, object := range behind {
		owner, governed := p.Owner(object)
		if !governed {
			owner = "nobody here: it is not registered, and so nobody is allowed"
		}
		lines = append(lines, fmt.Sprintf("%s is restricted by %s, owned by %s", m.Ref(), object, owner))
	}
	for _, e := range lifted {
		lines = append(lines, fmt.Sprintf("declassification %d: %s without %s until %s, by %s: %s", e.ID, e.Right, e.Dataset, present.Until(e.Expires), e.By, e.Reason))
	}
	return lines
}

func protectModel(c *cli.Context, r *registry.Registry) error {
	model := c.Args().First()
	known, err := r.Versions(c.Context, model)
	if err != nil {
		return err
	}
	var versions [][]access.Origin
	for _, v := range known {
		lineage, err := catalog.Origins(c.Context, r, v.Manifest)
		if err != nil {
			return err
		}
		versions = append(versions, lineage)
	}
	return asked(c, func(a *asking) error {
		owner := a.who.Principal
		if given := c.String("owner"); given != "" {
			owner = access.Principal(given)
		}
		if err := a.ProtectModel(c.Context, a.who, model, owner, versions); err != nil {
			return err
		}
		return showDone(c, map[string]any{"object": access.Model(model), "owner": owner},
			"%s is protected and owned by %s\nlet others: tkit registry acl %[1]s grant PRINCIPAL RIGHTS", model, owner)
	})
}

func declassify(c *cli.Context, r *registry.Registry) error {
	m, lineage, err := namedLineage(c, r, c.Args().First())
	if err != nil {
		return err
	}
	expires, err := expiry(c, "expires")
	if err != nil {
		return err
	}
	return asked(c, func(a *asking) error {
		e, err := a.Declassify(c.Context, a.who, access.Exemption{
			Version: m.Ref().String(), Dataset: access.Dataset(c.Args().Get(1)), Right: access.Right(c.String("right")),
			Expires: expires, Reason: c.String("reason"),
		}, lineage)
		if err != nil {
			return err
		}
		return showDone(c, e, "declassification %d: to %s %s, %s is no longer asked, until %s", e.ID, e.Right, e.Version, e.Dataset, present.Until(e.Expires))
	})
}

func reclassify(c *cli.Context, a *asking) error {
	id, err := strconv.ParseInt(c.Args().First(), 10, 64)
	if err != nil {
		return fmt.Errorf("reclassify %q: name a declassification by its number; `tkit registry access MODEL@VERSION` shows them", c.Args().First())
	}
	if err := a.Reclassify(c.Context, a.who, id); err != nil {
		return err
	}
	return showDone(c, map[string]any{"reclassified": id}, "took declassification %d back", id)
}
