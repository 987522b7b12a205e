package commandline

import (
	"math"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// takeRequired returns the names of the required flags, and makes them optional
// for cli, which would print the whole help where one is missing.
func takeRequired(flags []cli.Flag) (names []string) {
	for _, f := range flags {
		if s, is := f.(*cli.StringFlag); is && s.Required {
			s.Required = false
			names = append(names, s.Name)
		}
	}
	return names
}

func checkRequired(c *cli.Context, names []string) error {
	for _, name := range names {
		if c.String(name) == "" {
			return Usagef("--%s is missing; see `%s --help`", name, Name(c))
		}
	}
	return nil
}

// checkNumber rejects a number of arguments that the usage of the command does
// not have.
func checkNumber(c *cli.Context) error {
	least, most := arity(c.Command.ArgsUsage)
	switch n := c.NArg(); {
	case n >= least && n <= most:
		return nil
	case most == 0:
		return Usagef("%s takes no argument, got %q; see `%[1]s --help`", Name(c), c.Args().First())
	default:
		return Usagef("%s takes %s; see `%[1]s --help`", Name(c), c.Command.ArgsUsage)
	}
}

// arity returns how many arguments a usage has. In "MODEL@VERSION... [FOLDER]" the
// first may be repeated, and the second be omitted. Alternatives in brackets are
// separated by " | ".
func arity(usage string) (least, most int) {
	for words := strings.Fields(usage); len(words) > 0; words = words[1:] {
		switch {
		case strings.HasSuffix(words[0], "..."):
			return least + 1, math.MaxInt
		case strings.HasPrefix(words[0], "["):
			end := slices.IndexFunc(words, func(w string) bool { return strings.HasSuffix(w, "]") })
			most += longest(words[:end+1])
			words = words[end:]
		default:
			least, most = least+1, most+1
		}
	}
	return least, most
}

// longest returns the number of words of the longest alternative.
func longest(words []string) (most int) {
	n := 0
	for _, w := range words {
		if n++; w == "|" {
			n = 0
		}
		most = max(most, n)
	}
	return most
}
