package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/catalog/tables"
	"tkit/internal/commandline"
	"tkit/internal/present"
	"tkit/internal/printable"
)

func tokenCommand() *cli.Command {
	return &cli.Command{
		Name: "token", Usage: "create, list and revoke the tokens that identify callers to a server",
		Subcommands: []*cli.Command{
			{
				Name: "create", Usage: "create a token for a user or service, and print it once", ArgsUsage: "[PRINCIPAL]",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "expires", Value: "90d", Usage: "the token expires after `TIME`, such as 30d, or after a day; at most a year from now"},
					&cli.StringFlag{Name: "note", Usage: "a note about the token, as `TEXT`"},
					purposeFlag(), jsonFlag(),
				},
				Description: `The token is for PRINCIPAL, by default for yourself. Whoever has the token acts as
that principal. Only its SHA-256 is stored. Only the owner of the home can create
tokens for others.

Examples:
   tkit access token create
   tkit access token create --expires 30d --note "ward 7" service:triage > token
   curl -H "Authorization: Bearer $(cat token)" …`,
				Action: withCatalog(createToken),
			},
			{
				Name: "list", Usage: "list your tokens or, for the owner of the home, all tokens", Flags: []cli.Flag{jsonFlag()},
				Description: `Examples:
   tkit access token list`,
				Action: inHome(withCatalog(listTokens)),
			},
			{
				Name: "revoke", Usage: "revoke a token; servers follow within seconds", ArgsUsage: "ID", Flags: []cli.Flag{jsonFlag()},
				Description: `Examples:
   tkit access token revoke 1f6b20c4`,
				Action: inHome(withCatalog(revokeToken)),
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
	return commandline.ShowList(c, tokens, "no token is in force; `tkit access token create` makes one", tables.Token, tables.TokenRow)
}

func revokeToken(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	if err := k.RevokeToken(c.Context, who, c.Args().First()); err != nil {
		return err
	}
	return commandline.ShowDone(c, map[string]any{"revoked": c.Args().First()}, "revoked token %s", c.Args().First())
}
