package commandline

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/internal/spelling"
)

// A UsageError is a mistake in the command line itself: whatever the data and the
// home contain, the command cannot be carried out. Its exit status is StatusUsage.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

func (e *UsageError) Unwrap() error { return e.Err }

// Usage returns nil, or err as a UsageError.
func Usage(err error) error {
	var known *UsageError
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &UsageError{err}
}

// Usagef returns a UsageError with a formatted message.
func Usagef(format string, values ...any) error { return Usage(fmt.Errorf(format, values...)) }

// usageError describes what is wrong with the flags of a command, with a
// suggestion.
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
	return Usagef("%w; see `%s --help`", err, Name(c))
}

// noCommand returns the error for an unknown command, with a suggestion.
func noCommand(c *cli.Context, name string) error {
	commands := c.App.Commands
	if c.Command != nil && len(c.Command.Subcommands) > 0 {
		commands = c.Command.Subcommands
	}
	var names []string
	for _, command := range commands {
		names = append(names, command.Names()...)
	}
	return Usagef("no command %q%s; see `%s --help`", name, didYouMean("", name, names), Name(c))
}

// Name returns the command of a context with its parent commands, as typed.
func Name(c *cli.Context) string {
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
