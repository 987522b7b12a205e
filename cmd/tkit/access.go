package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/internal/printable"
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
				Action: withCatalog(0, 0, whoAmI),
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

func acceptHome(c *cli.Context) error {
	if err := checkArguments(c, 0, 0); err != nil {
		return err
	}
	who, err := catalog.Self("")
	if err != nil {
		return err
	}
	if err := catalog.AcceptHome(c.Context, who, c.Path("home"), c.String("reason")); err != nil {
		return err
	}
	return showDone(c, map[string]any{"accepted": c.Path("home")}, "the home is accepted as it is; look through the rights: tkit datasets list, tkit datasets acl NAME")
}

func whoAmI(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	who, err := k.WhoAmI(c.Context, who)
	if err != nil {
		return err
	}
	return show(c, map[string]any{"principal": who.Principal, "groups": who.Groups}, func(w io.Writer) error {
		for _, p := range append([]access.Principal{who.Principal}, who.Groups...) {
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
