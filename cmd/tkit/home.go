package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"tkit/catalog"
)

// inHome is an action that needs a home. It creates none: a command that looks for
// something in a home whose name was mistyped must not leave an empty one there.
func inHome(act cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		err := catalog.Exists(c.Path("home"))
		if errors.Is(err, catalog.ErrNoHome) {
			return fmt.Errorf("%w: name another with --home; `tkit train` and `tkit datasets add` make one", err)
		}
		if err != nil {
			return err
		}
		return act(c)
	}
}
