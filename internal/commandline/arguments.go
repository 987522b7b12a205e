package commandline

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves the flags of a command line before its other arguments, and
// those of the application before the command, as cli requires: users also type
// `tkit predict rose.jpg --model flowers`. Arguments after "--" are not moved.
func flagsFirst(a *cli.App, line []string) []string {
	if len(line) == 0 {
		return line
	}
	var global, commands, local, others []string
	flags, below := a.Flags, a.Commands
	for rest := line[1:]; len(rest) > 0; {
		word := rest[0]
		if word == "--" {
			others = append(others, rest...)
			break
		}
		if !strings.HasPrefix(word, "-") || word == "-" {
			rest = rest[1:]
			if c := named(below, word); c != nil && len(others) == 0 {
				commands, local = append(append(commands, local...), word), nil
				flags, below = c.Flags, c.Subcommands
				continue
			}
			others, below = append(others, word), nil
			continue
		}
		n, known := span(flags, rest)
		to := &local
		if !known {
			if m, isGlobal := span(a.Flags, rest); isGlobal {
				n, to = m, &global
			}
		}
		if n > len(rest) { // cli reports it, before another argument is taken as the value
			if n, others = len(rest), nil; to == &global {
				commands, local = nil, nil
			}
		}
		*to, rest = append(*to, rest[:n]...), rest[n:]
	}
	return slices.Concat(line[:1], global, commands, local, others)
}

func named(commands []*cli.Command, name string) *cli.Command {
	i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(name) })
	if i < 0 {
		return nil
	}
	return commands[i]
}

// span returns the number of arguments of the flag at the start of words,
// itself and its value, and whether it is one of flags.
func span(flags []cli.Flag, words []string) (n int, known bool) {
	name, _, joined := strings.Cut(strings.TrimLeft(words[0], "-"), "=")
	f := find(flags, name)
	if f != nil && takesValue(f) && !joined {
		return 2, true
	}
	return 1, f != nil
}
