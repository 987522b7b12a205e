package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/internal/spelling"
)

// prepare has every command check its numbers before it does anything, and say in
// a line what is wrong: cli would print all of its help.
func prepare(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError, c.Before = usageError, checkBounds
		if act := c.Action; act != nil {
			c.Action = func(c *cli.Context) error { return withFlags(act(c)) }
		}
		prepare(c.Subcommands)
	}
}

// usageError is what is wrong with the flags of a command, and what may have
// been meant.
func usageError(c *cli.Context, err error, _ bool) error {
	if _, name, unknown := strings.Cut(err.Error(), "flag provided but not defined: -"); unknown {
		name = strings.TrimLeft(name, "-")
		flags := c.App.Flags
		if c.Command != nil {
			flags = append(flags[:len(flags):len(flags)], c.Command.Flags...)
		}
		var names []string
		for _, f := range flags {
			names = append(names, f.Names()...)
		}
		err = fmt.Errorf("no flag --%s%s", name, didYouMean("--", name, names))
	}
	return fmt.Errorf("%w; see `%s --help`", err, commandOf(c))
}

// commandNotFound ends the program for a command that there is not.
func commandNotFound(c *cli.Context, name string) {
	fmt.Fprintln(c.App.ErrWriter, "tkit:", noCommand(c, name))
	os.Exit(2)
}

// noCommand says that there is no command of a name, and what may have been
// meant.
func noCommand(c *cli.Context, name string) string {
	commands := c.App.Commands
	if c.Command != nil && len(c.Command.Subcommands) > 0 {
		commands = c.Command.Subcommands
	}
	var names []string
	for _, command := range commands {
		names = append(names, command.Names()...)
	}
	return fmt.Sprintf("no command %q%s; see `%s --help`", name, didYouMean("", name, names), commandOf(c))
}

// commandOf is the command of a context with those above it, as one types them.
func commandOf(c *cli.Context) string {
	if c.Command == nil || c.Command.HelpName == "" {
		return c.App.Name
	}
	return c.Command.HelpName
}

func didYouMean(prefix, given string, names []string) string {
	if near := spelling.Nearest(given, names); near != "" {
		return ": did you mean " + prefix + near + "?"
	}
	return ""
}
