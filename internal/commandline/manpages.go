package commandline

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/urfave/cli/v2"
)

// ManCommand is a hidden command that writes the manual pages of an application
// into a folder: one for the application and one for each of its commands. Build
// scripts call it.
func ManCommand() *cli.Command {
	return &cli.Command{
		Name:      "man",
		Usage:     "write the manual pages into a folder",
		ArgsUsage: "FOLDER",
		Hidden:    true,
		Action: func(c *cli.Context) error {
			for name, page := range ManPages(c.App) {
				if err := os.WriteFile(filepath.Join(c.Args().First(), name), []byte(page), 0o644); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// ManPages returns the manual pages of an application by the names of their
// files, such as tkit-train.1. A page names no date, so that the same program
// always gives the same pages.
func ManPages(a *cli.App) map[string]string {
	pages := map[string]string{}
	var also []string
	for _, c := range a.Commands {
		if c.Hidden || c.Name == "help" {
			continue
		}
		name := a.Name + "-" + c.Name
		p := newManPage(name, a, c.Usage)
		p.command(a.Name+" "+c.Name, c)
		p.section("SEE ALSO")
		p.line(`.BR %s (1)`, a.Name)
		pages[name+".1"] = p.String()
		also = append(also, c.Name)
	}
	p := newManPage(a.Name, a, a.Usage)
	p.section("SYNOPSIS")
	p.line(`.B %s`, a.Name)
	p.text("[global options] COMMAND [options] [arguments]")
	p.flags("GLOBAL OPTIONS", a.VisibleFlags())
	p.section("COMMANDS")
	for _, name := range also {
		p.line(".TP")
		p.line(`.BR %s\-%s (1)`, a.Name, roff(name))
		p.text(a.Command(name).Usage)
	}
	pages[a.Name+".1"] = p.String()
	return pages
}

// A manPage is a manual page in roff with the macros of man(7).
type manPage struct{ strings.Builder }

func newManPage(name string, a *cli.App, usage string) *manPage {
	p := &manPage{}
	p.line(`.TH "%s" 1 "" "%s %s"`, strings.ToUpper(roff(name)), roff(a.Name), roff(a.Version))
	p.section("NAME")
	p.line(`%s \- %s`, roff(name), roff(usage))
	return p
}

// command writes what the help of a command says, and then of its commands.
func (p *manPage) command(name string, c *cli.Command) {
	p.section("SYNOPSIS")
	p.synopsis(name, c)
	if c.Description != "" {
		p.section("DESCRIPTION")
		p.text(c.Description)
	}
	p.flags("OPTIONS", c.VisibleFlags())
	for _, sub := range c.Subcommands {
		if sub.Hidden || sub.Name == "help" {
			continue
		}
		p.section(strings.ToUpper(name + " " + sub.Name))
		p.text(sub.Usage)
		p.line(".PP")
		p.synopsis(name+" "+sub.Name, sub)
		p.line(".PP")
		p.text(sub.Description)
		p.flags("", sub.VisibleFlags())
	}
}

func (p *manPage) synopsis(name string, c *cli.Command) {
	p.line(`.B %s`, roff(name))
	rest := c.ArgsUsage
	switch {
	case len(c.Subcommands) > 0:
		rest = "COMMAND [options] [arguments]"
	case len(c.VisibleFlags()) > 0:
		rest = "[options] " + rest
	}
	p.text(rest)
}

// flags writes a list of flags, below a heading unless that is "".
func (p *manPage) flags(heading string, flags []cli.Flag) {
	if heading != "" && len(flags) > 0 {
		p.section(heading)
	}
	for _, f := range flags {
		names, usage, _ := strings.Cut(f.String(), "\t")
		p.line(".TP")
		p.line(`.B %s`, roff(names))
		p.text(strings.TrimSpace(usage))
	}
}

func (p *manPage) section(title string) { p.line(`.SH "%s"`, roff(title)) }

// text writes paragraphs. Indented lines, which are examples, keep their form.
func (p *manPage) text(text string) {
	literal := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		if indented != literal {
			p.line("%s", map[bool]string{true: ".PP\n.nf", false: ".fi\n.PP"}[indented])
			literal = indented
		}
		switch {
		case line != "":
			p.line("%s", roff(line))
		case !literal:
			p.line(".PP")
		}
	}
	if literal {
		p.line(".fi")
	}
}

func (p *manPage) line(format string, values ...any) { fmt.Fprintf(p, format+"\n", values...) }

// roff escapes text for roff: its escape character, hyphens and quotes, which
// would become typographic ones, characters beyond ASCII, and what would be a
// request at the beginning of a line.
func roff(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '"':
			b.WriteString(`\(dq`)
		case r > unicode.MaxASCII:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	escaped := b.String()
	if strings.HasPrefix(escaped, ".") || strings.HasPrefix(escaped, "'") {
		return `\&` + escaped
	}
	return escaped
}
