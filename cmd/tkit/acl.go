package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/internal/present"
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

// changeACL carries out what follows NAME on the command line: nothing, or
// grant|deny PRINCIPAL RIGHTS, or revoke NUMBER, or owner PRINCIPAL.
func changeACL(c *cli.Context, k *catalog.Catalog, who access.Caller, object access.Object) error {
	args := c.Args().Slice()[1:]
	if len(args) == 0 {
		return showACL(c, k, who, object)
	}
	switch verb := args[0]; {
	case (verb == "grant" || verb == "deny") && len(args) == 3:
		o, err := grantOptions(c, args[1], args[2])
		if err != nil {
			return err
		}
		o.Object, o.Effect = object, map[string]access.Effect{"grant": access.Allow, "deny": access.Deny}[verb]
		added, err := k.AddGrants(c.Context, who, o)
		return errors.Join(err, printGrants(c, added))
	case verb == "revoke" && len(args) == 2:
		id, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return fmt.Errorf("revoke %q: name a grant by its number; `acl` without more lists them", args[1])
		}
		if err := k.RevokeGrant(c.Context, who, object, id); err != nil {
			return err
		}
		return showDone(c, map[string]any{"revoked": id, "object": object}, "revoked grant %d on %s", id, object)
	case verb == "owner" && len(args) == 2:
		if err := k.SetOwner(c.Context, who, object, access.Principal(args[1])); err != nil {
			return err
		}
		return showDone(c, map[string]any{"object": object, "owner": args[1]}, "%s is owned by %s", object, args[1])
	}
	return errors.New("acl NAME takes nothing more, or grant|deny PRINCIPAL RIGHTS, or revoke NUMBER, or owner PRINCIPAL; see its --help")
}

// grantOptions reads what to grant or deny to whom.
func grantOptions(c *cli.Context, to, words string) (o catalog.GrantOptions, err error) {
	if o.Principal, err = access.ParsePrincipal(to); err != nil {
		return o, err
	}
	if o.Rights, err = access.ParseRights(words); err != nil {
		return o, err
	}
	if c.IsSet("only-for") && c.String("only-for") == "" {
		return o, errors.New("--only-for is empty: name a purpose, or leave the flag out for a grant for all")
	}
	o.Purpose, o.Reason = c.String("only-for"), c.String("reason")
	o.Expires, err = expiry(c, "expires")
	return o, err
}

func showACL(c *cli.Context, k *catalog.Catalog, who access.Caller, object access.Object) error {
	g, err := k.ShowGrants(c.Context, who, object)
	if err != nil {
		return err
	}
	if !c.Bool("json") {
		printable.Fprintf(c.App.Writer, "%s is owned by %s\n", object, g.Owner)
	}
	return printGrants(c, g.Grants)
}

func printGrants(c *cli.Context, grants []access.Grant) error {
	if len(grants) == 0 && !c.Bool("json") {
		return nil
	}
	header := []string{"grant", "effect", "principal", "right", "only for", "until", "by", "given", "why"}
	return showList(c, grants, "", header, func(g access.Grant) []string {
		return []string{strconv.FormatInt(g.ID, 10), string(g.Effect), string(g.Principal), string(g.Right),
			present.OrDash(g.Purpose), present.Until(g.Expires), string(g.By), present.Time(g.At), g.Reason}
	})
}
