// Package commandline extends urfave/cli for all commands of tkit: flags may
// follow other arguments, numbers have limits, and mistakes are reported in one
// line with a suggestion.
package commandline

import (
	"cmp"
	"fmt"

	"github.com/urfave/cli/v2"
)

// Prepare makes all commands of an application check their numbers first, and
// report mistakes in one line, where cli would print its whole help. The errors
// of actions are passed through explain.
func Prepare(a *cli.App, b Bounds, explain func(error) error) {
	a.OnUsageError = usageError
	prepare(a.Commands, b, explain)
}

func prepare(commands []*cli.Command, b Bounds, explain func(error) error) {
	for _, c := range commands {
		c.OnUsageError, c.Before = usageError, b.check
		if act := c.Action; act != nil {
			c.Action = func(c *cli.Context) error { return explain(act(c)) }
		}
		prepare(c.Subcommands, b, explain)
	}
}

// CheckArguments rejects a wrong number of arguments.
func CheckArguments(c *cli.Context, least, most int) error {
	if n := c.NArg(); n < least || n > most {
		return fmt.Errorf("%s takes %s; see `%[1]s --help`", Name(c), cmp.Or(c.Command.ArgsUsage, "no argument"))
	}
	return nil
}
