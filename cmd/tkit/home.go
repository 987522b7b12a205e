package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"tkit/catalog"
)

// inHome returns an action that requires an existing home. It does not create one,
// because a mistyped name must not leave an empty home behind.
func inHome(act cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		err := options(c).Exists()
		if errors.Is(err, catalog.ErrNoHome) {
			return fmt.Errorf("%w: name another with --home; `tkit train` and `tkit datasets add` create one", err)
		}
		if err != nil {
			return err
		}
		return act(c)
	}
}
