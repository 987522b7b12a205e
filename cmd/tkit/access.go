package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/access/hadoop"
	"tkit/catalog"
	"tkit/internal/printable"
	"tkit/registry"
)

func accessCommand() *cli.Command {
	return &cli.Command{
		Name:  "access",
		Usage: "see who you are to tkit, and make tokens for those who ask a server",
		Description: `A command acts as the system account that runs it. A server knows who asks by
their token. The rights themselves are given with ` + "`tkit datasets acl`" + ` and
` + "`tkit registry acl`" + `.`,
		Subcommands: []*cli.Command{
			{
				Name:  "whoami",
				Usage: "show the principal and the groups that tkit knows you by",
				Flags: []cli.Flag{jsonFlag()},
				Description: `Groups are those of HOME/access/groups.yaml where there is one, else the
operating system's; for datasets in HDFS then those that the NameNode knows.

Examples:
   tkit access whoami`,
				Action: withAuthority(0, 0, whoAmI),
			},
			{
				Name:  "accept",
				Usage: "go on with a home whose database or audit log was restored or lost, and record that",
				Flags: []cli.Flag{&cli.StringFlag{Name: "reason", Usage: "say what happened: `TEXT`", Required: true}, jsonFlag()},
				Description: `A database that is older than the audit log has lost changes: grants, denials and
revocations. tkit refuses it until they were made again or are given up, which is
what this command says. A log that was lost is not made again; that it was lost
stays on record.

Examples:
   tkit access accept --reason "disk failed, restored Monday's backup"`,
				Action: inHome(acceptHome),
			},
			tokenCommand(),
		},
	}
}

// asking is an authority and who asks it: the account that runs the command.
type asking struct {
	*access.Authority
	who access.Caller
}

// purposeFlag is on every command whose decision a purpose may change.
func purposeFlag() cli.Flag {
	return &cli.StringFlag{Name: "purpose", Usage: "say what it is for: `TEXT`; some grants are for one purpose only"}
}

// openAuthority opens the authority of the home for who runs the command. The
// caller closes it.
func openAuthority(c *cli.Context) (*asking, error) {
	self, err := access.Self()
	if err != nil {
		return nil, err
	}
	a, err := access.Open(c.Context, c.Path("home"), hadoop.New(c.Path("home")))
	if err != nil {
		return nil, err
	}
	who, err := a.Resolve(c.Context, access.Caller{Principal: self, Purpose: c.String("purpose")})
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return &asking{a, who}, nil
}

// policy is the one in force.
func (a *asking) policy(c *cli.Context) (*access.Policy, error) { return a.Store().Policy(c.Context) }

// decide asks for a right on a dataset or model, or on a version.
func (a *asking) decide(c *cli.Context, q access.Request) error {
	_, err := a.Authorize(c.Context, a.who, q)
	return err
}

// allowed decides whether who runs the command has a right on a version.
func allowed(c *cli.Context, r *registry.Registry, m *registry.Manifest, action string, right access.Right) error {
	lineage, err := catalog.Origins(c.Context, r, m)
	if err != nil {
		return err
	}
	return asked(c, func(a *asking) error {
		return a.decide(c, access.Request{Action: action, Right: right, Lineage: lineage})
	})
}

// restricted says whether anything restricts a version.
func restricted(c *cli.Context, r *registry.Registry, m *registry.Manifest) (found bool, err error) {
	lineage, err := catalog.Origins(c.Context, r, m)
	if err != nil {
		return false, err
	}
	err = asked(c, func(a *asking) error {
		p, err := a.policy(c)
		if err != nil {
			return err
		}
		found = len(p.Restrictions(lineage)) > 0
		return nil
	})
	return found, err
}

// withAuthority makes an action of one that needs the authority and takes
// between least and most arguments.
func withAuthority(least, most int, act func(*cli.Context, *asking) error) cli.ActionFunc {
	return func(c *cli.Context) (err error) {
		if err := checkArguments(c, least, most); err != nil {
			return err
		}
		a, err := openAuthority(c)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, a.Close()) }()
		return act(c, a)
	}
}

func acceptHome(c *cli.Context) error {
	if c.Args().Present() {
		return errors.New("accept takes no argument; see its --help")
	}
	if err := access.Accept(c.Context, c.Path("home"), c.String("reason")); err != nil {
		return err
	}
	return showDone(c, map[string]any{"accepted": c.Path("home")}, "went on with what is there; look through the rights: tkit datasets list, tkit datasets acl NAME")
}

func whoAmI(c *cli.Context, a *asking) error {
	return show(c, map[string]any{"principal": a.who.Principal, "groups": a.who.Groups}, func(w io.Writer) error {
		for _, p := range append([]access.Principal{a.who.Principal}, a.who.Groups...) {
			printable.Fprintf(w, "%s\n", p)
		}
		return nil
	})
}

// expiry reads a flag that is a length of time, such as 720h or 30d, or a day,
// such as 2027-01-31, to whose end in the local time zone it reaches. Empty is
// never.
func expiry(c *cli.Context, flag string) (time.Time, error) {
	text := c.String(flag)
	if !c.IsSet(flag) && text == "" {
		return time.Time{}, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		end := day.AddDate(0, 0, 1)
		if !end.After(time.Now()) {
			return time.Time{}, fmt.Errorf("--%s %s is past already", flag, text)
		}
		return end, nil
	}
	factor := time.Duration(1)
	if days, ok := strings.CutSuffix(text, "d"); ok && strings.Trim(days, "0123456789.") == "" {
		text, factor = days+"h", 24
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > math.MaxInt64/factor {
		return time.Time{}, fmt.Errorf("--%s %q: want a time from now, at most a hundred years, such as 30d or 12h, or a day, such as 2027-01-31", flag, c.String(flag))
	}
	return time.Now().Add(factor * d), nil
}
