// Package commandline extends urfave/cli for all commands of tkit: flags may
// follow other arguments, arguments are checked before a command does anything,
// and mistakes are reported in one line with a suggestion.
package commandline

import (
	"errors"
	"flag"
	"sync"

	"github.com/urfave/cli/v2"
)

// Rules are what is checked of every command line before its command runs, and
// what is done with the command's error.
type Rules struct {
	Bounds Bounds
	Values Values
	// Explain returns the error of a command as its user sees it.
	Explain func(error) error
}

// Prepare makes all commands of an application check their arguments first, and
// report mistakes in one line, where cli would print its whole help.
func Prepare(a *cli.App, r Rules) {
	setHelp()
	a.OnUsageError = usageError
	a.CommandNotFound = func(c *cli.Context, name string) { c.App.Metadata[notFound] = noCommand(c, name) }
	a.Metadata = map[string]any{prepared: r}
	r.prepare(a.Commands)
}

// setHelp sets what all applications of cli share.
var setHelp = sync.OnceFunc(func() {
	cli.HelpPrinter = printHelp
	for _, shared := range []*cli.Flag{&cli.HelpFlag, &cli.VersionFlag} {
		if f, is := (*shared).(*cli.BoolFlag); is {
			*shared = sharedFlag{f}
		}
	}
})

// A sharedFlag belongs to applications that may run at the same time. A plain flag is
// changed when it is added to a flag set.
type sharedFlag struct{ *cli.BoolFlag }

func (f sharedFlag) Apply(set *flag.FlagSet) error {
	own := *f.BoolFlag
	return own.Apply(set)
}

// Keys of an application's metadata.
const (
	prepared = "rules"
	notFound = "command not found" // the error, which cli does not let CommandNotFound return
)

func (r Rules) prepare(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = usageError
		required := takeRequired(c.Flags)
		if act := c.Action; act != nil {
			c.Action = func(c *cli.Context) error {
				if err := r.check(c, required); err != nil {
					return Usage(err)
				}
				return r.explain(act(c))
			}
		}
		r.prepare(c.Subcommands)
	}
}

// explain keeps what Explain makes of a UsageError one.
func (r Rules) explain(err error) error {
	var usage *UsageError
	if errors.As(err, &usage) {
		return Usage(r.Explain(usage.Err))
	}
	return r.Explain(err)
}

// check checks everything that can be checked without data.
func (r Rules) check(c *cli.Context, required []string) error {
	if err := checkRequired(c, required); err != nil {
		return err
	}
	if err := checkNumber(c); err != nil {
		return err
	}
	if err := r.Bounds.check(c); err != nil {
		return err
	}
	return r.Values.check(c)
}
