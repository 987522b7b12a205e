package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/internal/present"
	"tkit/internal/printable"
)

func tokenCommand() *cli.Command {
	return &cli.Command{
		Name:  "token",
		Usage: "make, list and revoke the tokens by which a server knows who asks",
		Subcommands: []*cli.Command{
			{
				Name:      "create",
				Usage:     "make a token for a user or service, and print it this once",
				ArgsUsage: "[PRINCIPAL]",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "expires", Value: "90d", Usage: "after `TIME`, such as 30d, or on a day; a year at most"},
					&cli.StringFlag{Name: "note", Usage: "what it is for, for people"},
					purposeFlag(), jsonFlag(),
				},
				Description: `Only its SHA-256 is kept. Whoever has the token is the principal, which is you
where you name none. Who owns the home makes tokens for others.

Examples:
   tkit access token create
   tkit access token create --expires 30d --note "ward 7" service:triage > token
   curl -H "Authorization: Bearer $(cat token)" …`,
				Action: withCatalog(0, 1, createToken),
			},
			{
				Name:  "list",
				Usage: "list the tokens in force, your own or, for who owns the home, all",
				Flags: []cli.Flag{jsonFlag()},
				Description: `Examples:
   tkit access token list`,
				Action: inHome(withCatalog(0, 0, listTokens)),
			},
			{
				Name:      "revoke",
				Usage:     "end a token; servers follow within seconds",
				ArgsUsage: "ID",
				Flags:     []cli.Flag{jsonFlag()},
				Description: `Examples:
   tkit access token revoke 1f6b20c4`,
				Action: inHome(withCatalog(1, 1, revokeToken)),
			},
		},
	}
}

func createToken(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	expires, err := expiry(c, "expires")
	if err != nil {
		return err
	}
	t, secret, err := k.CreateToken(c.Context, who, catalog.TokenOptions{
		Principal: access.Principal(c.Args().First()), Purpose: c.String("purpose"), Note: c.String("note"), Expires: expires,
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return present.JSON(c.App.Writer, struct {
			access.Token
			Secret string `json:"secret"`
		}{t, secret})
	}
	printable.Fprintf(c.App.ErrWriter, "token %s of %s, until %s; it is not shown again\n", t.ID, t.Principal, present.Time(t.Expires))
	fmt.Fprintln(c.App.Writer, secret)
	return nil
}

func listTokens(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	tokens, err := k.ListTokens(c.Context, who)
	if err != nil {
		return err
	}
	header := []string{"id", "principal", "until", "purpose", "created", "by", "note"}
	return showList(c, tokens, "no token is in force; `tkit access token create` makes one", header, func(t access.Token) []string {
		state := present.Time(t.Expires)
		if !time.Now().Before(t.Expires) {
			state = "expired"
		}
		return []string{t.ID, string(t.Principal), state, present.OrDash(t.Purpose), present.Time(t.Created), string(t.By), t.Note}
	})
}

func revokeToken(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	if err := k.RevokeToken(c.Context, who, c.Args().First()); err != nil {
		return err
	}
	return showDone(c, map[string]any{"revoked": c.Args().First()}, "revoked token %s", c.Args().First())
}
