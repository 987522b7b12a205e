package main

import (
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/internal/commandline"
	"tkit/internal/printable"
)

func accessCommand() *cli.Command {
	return &cli.Command{
		Name: "access", Usage: "show your identity, and manage tokens for servers",
		Description: `A command acts as the system account that runs it. A server identifies its callers
by their tokens. Rights are granted with ` + "`tkit datasets acl`" + ` and
` + "`tkit registry acl`" + `.`,
		Subcommands: []*cli.Command{
			{
				Name: "whoami", Usage: "show your principal and your groups", Flags: []cli.Flag{jsonFlag()},
				Description: `Groups are read from HOME/access/groups.yaml. Without that file they are the groups
of the operating system and, for datasets in HDFS, those of the NameNode.

Examples:
   tkit access whoami`,
				Action: reading(whoAmI),
			},
			{
				Name: "accept", Usage: "accept a home whose database or audit log was restored or lost, and record that",
				Flags: []cli.Flag{&cli.StringFlag{Name: "reason", Usage: "what happened, as `TEXT`", Required: true}, jsonFlag()},
				Description: `A database that is older than the audit log lacks changes: grants, denials and
revocations. tkit refuses such a home until this command accepts it as it is. Make
the lost changes again afterwards. A lost log cannot be restored; the loss stays on
record.

Examples:
   tkit access accept --reason "disk failed, restored Monday's backup"`,
				Action: inHome(acceptHome),
			},
			tokenCommand(),
		},
	}
}

func acceptHome(c *cli.Context) error {
	who, err := catalog.Self("")
	if err != nil {
		return err
	}
	if err := catalog.AcceptHome(c.Context, who, options(c), c.String("reason")); err != nil {
		return err
	}
	return commandline.ShowDone(c, map[string]any{"accepted": c.Path("home")}, "the home is accepted as it is; look through the rights: tkit datasets list, tkit datasets acl NAME")
}

func whoAmI(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	who, err := k.WhoAmI(c.Context, who)
	if err != nil {
		return err
	}
	return commandline.Show(c, map[string]any{"principal": who.Principal, "groups": who.Groups}, func(w io.Writer) error {
		for _, p := range append([]access.Principal{who.Principal}, who.Groups...) {
			printable.Fprintf(w, "%s\n", p)
		}
		return nil
	})
}

// expiry reads a flag that says when something expires. Without the flag it never
// does.
func expiry(c *cli.Context, flag string) (time.Time, error) {
	if text := c.String(flag); c.IsSet(flag) || text != "" {
		t, err := access.ParseExpiry(text, time.Now())
		if err != nil {
			err = fmt.Errorf("--%s: %w", flag, err)
		}
		return t, err
	}
	return time.Time{}, nil
}
