package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"tkit/internal/home"
)

// inHome makes an action of one that needs a home. It makes none: what looks for
// something in a home whose name was mistyped must not leave an empty one there.
func inHome(act cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		err := home.Exists(c.Path("home"))
		if errors.Is(err, home.ErrNone) {
			return fmt.Errorf("%w: name another with --home; `tkit train` and `tkit datasets add` make one", err)
		}
		if err != nil {
			return err
		}
		return act(c)
	}
}
