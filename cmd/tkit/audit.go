package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/access/audit"
	"tkit/catalog"
	"tkit/catalog/tables"
	"tkit/internal/commandline"
	"tkit/internal/present"
)

func auditCommand() *cli.Command {
	return &cli.Command{
		Name: "audit", Usage: "show the audit log of decisions, and verify it",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "last", Value: 20, Usage: "show the last `N` decisions; 0 for all"},
			jsonFlag(),
		},
		Description: `Each decision is a line of JSON in HOME/audit, with the SHA-256 of the line
before.

Examples:
   tkit datasets audit
   tkit datasets audit --last 0 --json | jq -r 'select(.outcome == "denied").who'
   tkit datasets audit verify`,
		Action: inHome(withCatalog(showAudit)),
		Subcommands: []*cli.Command{{
			Name: "verify", Usage: "check that no record was changed, removed or moved",
			Flags: []cli.Flag{
				&cli.StringSliceFlag{Name: "known", Usage: "compare with a `NUMBER:HASH` that an earlier verify printed; may be repeated"},
				jsonFlag(),
			},
			Description: `The exit status is 1 when a problem was found. Somebody who can write to the whole
home can also write a new log. Against that, keep what verify prints somewhere
else, and pass it with --known.

Examples:
   tkit datasets audit verify
   tkit datasets audit verify --known 1207:5f0c…`,
			Action: inHome(withCatalog(verifyAudit)),
		}},
	}
}

func showAudit(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	last, err := k.AuditRecords(c.Context, who, c.Int("last"))
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return present.Lines(c.App.Writer, last)
	}
	return commandline.ShowList(c, last, "", tables.AuditRecord, tables.AuditRecordRow)
}

func verifyAudit(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	known, err := audit.ParsePositions(c.StringSlice("known"))
	if err != nil {
		return fmt.Errorf("--known: %w", err)
	}
	v, err := k.VerifyAudit(c.Context, who, known...)
	if err != nil {
		return err
	}
	return errors.Join(commandline.Show(c, v, v.WriteText), v.Err())
}
