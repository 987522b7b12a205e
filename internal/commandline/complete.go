package commandline

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// completionFlag is the last argument when a shell requests completions. The
// argument before it is the word at the cursor, which may be empty.
const completionFlag = "--generate-shell-completion"

func isCompletion(line []string) bool {
	return len(line) > 2 && line[len(line)-1] == completionFlag
}

// A candidate is a word that a shell may offer, with what it means.
type candidate struct{ word, meaning string }

// complete writes the candidates for the word at the cursor, one in a line, with a
// tab before the meaning. Without a candidate a shell offers files. It reads what
// the values' Offer functions read, and changes nothing.
func (r Rules) complete(ctx context.Context, a *cli.App, line []string) error {
	words, current := line[1:len(line)-2], line[len(line)-2]
	p := newPosition(ctx, a)
	for _, word := range words {
		if err := p.pass(word); err != nil {
			return nil // which a run of the command would report
		}
	}
	for _, c := range p.candidates(r.Values, current) {
		if strings.HasPrefix(c.word, current) {
			writeCandidate(a.Writer, c)
		}
	}
	return nil
}

func writeCandidate(w io.Writer, c candidate) {
	meaning, _, _ := strings.Cut(c.meaning, "\n")
	fmt.Fprintln(w, strings.TrimSuffix(c.word+"\t"+strings.ReplaceAll(meaning, "`", ""), "\t"))
}

// position is a place in a command line, after some of its words.
type position struct {
	context  *cli.Context // with the flags so far
	set      *flag.FlagSet
	commands []*cli.Command // that may follow
	waiting  cli.Flag       // whose value follows, or nil
	number   int            // of arguments so far
	ended    bool           // by "--", after which there are no flags
}

func newPosition(ctx context.Context, a *cli.App) *position {
	set := flag.NewFlagSet(a.Name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	p := &position{set: set, commands: a.Commands, context: cli.NewContext(a, set, nil)}
	p.context.Context, p.context.Command = ctx, &cli.Command{Flags: a.Flags, Name: a.Name}
	_ = p.apply(a.Flags)
	return p
}

func (p *position) apply(flags []cli.Flag) error {
	for _, f := range flags {
		if p.set.Lookup(f.Names()[0]) != nil {
			continue
		}
		if err := f.Apply(p.set); err != nil {
			return err
		}
	}
	return nil
}

// flags are those that may follow.
func (p *position) flags() []cli.Flag {
	return append(slices.Clone(p.context.App.Flags), p.context.Command.Flags...)
}

// pass moves the position behind a word.
func (p *position) pass(word string) error {
	if f := p.waiting; f != nil {
		p.waiting = nil
		return p.set.Set(f.Names()[0], word)
	}
	if p.ended || !strings.HasPrefix(word, "-") || word == "-" {
		if c := named(p.commands, word); c != nil && p.number == 0 {
			p.context.Command, p.commands = c, c.Subcommands
			return p.apply(c.Flags)
		}
		p.number++
		return nil
	}
	if word == "--" {
		p.ended = true
		return nil
	}
	name, value, joined := strings.Cut(strings.TrimLeft(word, "-"), "=")
	f := find(p.flags(), name)
	switch {
	case f == nil:
		return nil
	case joined:
		return p.set.Set(f.Names()[0], value)
	case takesValue(f):
		p.waiting = f
	}
	return nil
}

// candidates returns what may follow; current is the word's beginning.
func (p *position) candidates(v Values, current string) []candidate {
	name, _, joined := strings.Cut(strings.TrimLeft(current, "-"), "=")
	command := p.context.Command
	switch {
	case p.waiting != nil:
		return v.flag(command.Name, p.waiting.Names()[0]).candidates(p.context, "")
	case !p.ended && joined && strings.HasPrefix(current, "-"):
		return v.flag(command.Name, name).candidates(p.context, "--"+name+"=")
	case !p.ended && strings.HasPrefix(current, "-"):
		return flagCandidates(p.flags())
	}
	var all []candidate
	for _, c := range p.commands {
		if p.number == 0 && !c.Hidden {
			all = append(all, candidate{c.Name, c.Usage})
		}
	}
	return append(all, v.argument(command, p.number).candidates(p.context, "")...)
}

func flagCandidates(flags []cli.Flag) []candidate {
	all := []candidate{{"--help", "show help"}}
	for _, f := range flags {
		usage := ""
		if d, is := f.(cli.DocGenerationFlag); is {
			usage = d.GetUsage()
		}
		all = append(all, candidate{"--" + f.Names()[0], usage})
	}
	return all
}

// candidates returns the values that can be offered, with a prefix.
func (v Value) candidates(c *cli.Context, prefix string) (all []candidate) {
	words := v.Choices
	if v.Offer != nil {
		words = append(slices.Clone(words), v.Offer(c)...)
	}
	for _, w := range words {
		all = append(all, candidate{prefix + w, ""})
	}
	return all
}

// find returns the flag of a name, or nil.
func find(flags []cli.Flag, name string) cli.Flag {
	i := slices.IndexFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return nil
	}
	return flags[i]
}

func takesValue(f cli.Flag) bool {
	d, is := f.(cli.DocGenerationFlag)
	return is && d.TakesValue()
}
