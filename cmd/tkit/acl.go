package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/internal/present"
	"tkit/internal/printable"
)

// aclFlags are those of `datasets acl` and `registry acl`.
func aclFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "expires", Usage: "the grant ends after `TIME`, such as 30d, or with a day, such as 2027-01-31", DefaultText: "never"},
		&cli.StringFlag{Name: "only-for", Usage: "the grant is for this `PURPOSE` only"},
		&cli.StringFlag{Name: "reason", Usage: "say why: `TEXT`"},
		purposeFlag(), jsonFlag(),
	}
}

// changeACL carries out what stands behind NAME on the command line: nothing,
// or grant|deny PRINCIPAL RIGHTS, or revoke NUMBER, or owner PRINCIPAL.
func changeACL(c *cli.Context, a *asking, object access.Object) error {
	args := c.Args().Slice()[1:]
	if len(args) == 0 {
		return showACL(c, a, object)
	}
	switch verb := args[0]; {
	case (verb == "grant" || verb == "deny") && len(args) == 3:
		effect := map[string]access.Effect{"grant": access.Allow, "deny": access.Deny}[verb]
		return give(c, a, object, effect, args[1], args[2])
	case verb == "revoke" && len(args) == 2:
		id, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return fmt.Errorf("revoke %q: name a grant by its number; `acl` without more lists them", args[1])
		}
		if err := a.RevokeGrant(c.Context, a.who, object, id); err != nil {
			return err
		}
		return showDone(c, map[string]any{"revoked": id, "object": object}, "revoked grant %d on %s", id, object)
	case verb == "owner" && len(args) == 2:
		if err := a.SetOwner(c.Context, a.who, object, access.Principal(args[1])); err != nil {
			return err
		}
		return showDone(c, map[string]any{"object": object, "owner": args[1]}, "%s is owned by %s", object, args[1])
	}
	return errors.New("acl NAME takes nothing more, or grant|deny PRINCIPAL RIGHTS, or revoke NUMBER, or owner PRINCIPAL; see its --help")
}

// give adds one grant for each right.
func give(c *cli.Context, a *asking, object access.Object, effect access.Effect, to, words string) error {
	principal, err := access.ParsePrincipal(to)
	if err != nil {
		return err
	}
	rights, err := access.ParseRights(words)
	if err != nil {
		return err
	}
	if c.IsSet("only-for") && c.String("only-for") == "" {
		return errors.New("--only-for is empty: name a purpose, or leave the flag out for a grant for all")
	}
	expires, err := expiry(c, "expires")
	if err != nil {
		return err
	}
	var given []access.Grant
	for _, r := range rights {
		g, err := a.AddGrant(c.Context, a.who, access.Grant{
			Object: object, Effect: effect, Principal: principal, Right: r,
			Purpose: c.String("only-for"), Expires: expires, Reason: c.String("reason"),
		})
		if err != nil {
			return errors.Join(err, printGrants(c, given))
		}
		given = append(given, g)
	}
	return printGrants(c, given)
}

// showACL shows who may do what, to those who may see the object.
func showACL(c *cli.Context, a *asking, object access.Object) error {
	p, err := a.policy(c)
	if err != nil {
		return err
	}
	owner, governed := p.Owner(object)
	if !governed {
		_, err := p.Registered(object.Name())
		if object.Kind() == "model" {
			err = fmt.Errorf("%s has no policy of its own: those may have it whom the data behind it allows; `tkit registry protect %s` begins one", object, object.Name())
		}
		return err
	}
	if object.Kind() == "dataset" {
		if err := a.decide(c, access.Request{Action: "show-acl", Right: access.List, Object: object}); err != nil {
			return err
		}
	}
	if !c.Bool("json") {
		printable.Fprintf(c.App.Writer, "%s is owned by %s\n", object, owner)
	}
	return printGrants(c, p.Grants(object))
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
