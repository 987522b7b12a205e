package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/catalog/tables"
	"tkit/internal/commandline"
	"tkit/internal/printable"
)

// aclFlags are those of `datasets acl` and `registry acl`.
func aclFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "expires", Usage: "the grant ends after `TIME`, such as 30d, or after a day, such as 2027-01-31", DefaultText: "never"},
		&cli.StringFlag{Name: "only-for", Usage: "the grant is for this `PURPOSE` only"},
		&cli.StringFlag{Name: "reason", Usage: "the reason, as `TEXT`"},
		purposeFlag(), jsonFlag(),
	}
}

// aclAction makes the action of `acl` on the object of its first argument.
func aclAction(object func(name string) access.Object) cli.ActionFunc {
	return func(c *cli.Context) error {
		act, err := parseACL(c, object(c.Args().First()))
		if err != nil {
			return commandline.Usage(err)
		}
		return inHome(withCatalog(act))(c)
	}
}

// parseACL parses the arguments after the name: none, or
// grant|deny PRINCIPAL RIGHTS, or revoke NUMBER, or owner PRINCIPAL.
func parseACL(c *cli.Context, object access.Object) (operation, error) {
	args := c.Args().Slice()[1:]
	if len(args) == 0 {
		return showACL(object), nil
	}
	switch verb := args[0]; {
	case (verb == "grant" || verb == "deny") && len(args) == 3:
		o, err := grantOptions(c, args[1], args[2])
		o.Object, o.Effect = object, map[string]access.Effect{"grant": access.Allow, "deny": access.Deny}[verb]
		return addGrants(o), err
	case verb == "revoke" && len(args) == 2:
		id, err := commandline.ParseNumber(args[1])
		return revokeGrant(object, id), err
	case verb == "owner" && len(args) == 2:
		owner, err := access.ParsePrincipal(args[1])
		return setOwner(object, owner), err
	}
	return nil, fmt.Errorf("%s takes %s", commandline.Name(c), c.Command.ArgsUsage)
}

func addGrants(o catalog.GrantOptions) operation {
	return func(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
		added, err := k.AddGrants(c.Context, who, o)
		return errors.Join(err, printGrants(c, added))
	}
}

func revokeGrant(object access.Object, id int64) operation {
	return func(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
		if err := k.RevokeGrant(c.Context, who, object, id); err != nil {
			return err
		}
		return commandline.ShowDone(c, map[string]any{"revoked": id, "object": object}, "revoked grant %d on %s", id, object)
	}
}

func setOwner(object access.Object, owner access.Principal) operation {
	return func(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
		if err := k.SetOwner(c.Context, who, object, owner); err != nil {
			return err
		}
		return commandline.ShowDone(c, map[string]any{"object": object, "owner": owner}, "%s is owned by %s", object, owner)
	}
}

// grantOptions parses the principal, the rights and the flags of a grant or denial.
func grantOptions(c *cli.Context, to, words string) (o catalog.GrantOptions, err error) {
	if o.Principal, err = access.ParsePrincipal(to); err != nil {
		return o, err
	}
	if o.Rights, err = access.ParseRights(words); err != nil {
		return o, err
	}
	o.Purpose, o.Reason = c.String("only-for"), c.String("reason")
	o.Expires, err = expiry(c, "expires")
	return o, err
}

func showACL(object access.Object) operation {
	return func(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
		g, err := k.ShowGrants(c.Context, who, object)
		if err != nil {
			return err
		}
		if !c.Bool("json") {
			printable.Fprintf(c.App.Writer, "%s is owned by %s\n", object, g.Owner)
		}
		return printGrants(c, g.Grants)
	}
}

func printGrants(c *cli.Context, grants []access.Grant) error {
	if len(grants) == 0 && !c.Bool("json") {
		return nil
	}
	return commandline.ShowList(c, grants, "", tables.Grant, tables.GrantRow)
}
