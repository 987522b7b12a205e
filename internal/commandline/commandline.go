// Package commandline adds to urfave/cli what the command line of tkit does for
// every command: flags may follow other arguments, numbers have bounds, and a
// mistake is answered by one line that says what may have been meant.
package commandline

import (
	"cmp"
	"fmt"

	"github.com/urfave/cli/v2"
)

// Prepare makes all commands of an application check their numbers before they do
// anything, and report mistakes in one line, where cli would print all of its
// help. The errors of actions pass through explain.
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

// CheckArguments refuses a number of arguments that the command does not take.
func CheckArguments(c *cli.Context, least, most int) error {
	if n := c.NArg(); n < least || n > most {
		return fmt.Errorf("%s takes %s; see `%[1]s --help`", Name(c), cmp.Or(c.Command.ArgsUsage, "no argument"))
	}
	return nil
}
