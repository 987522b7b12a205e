package commandline

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/internal/present"
)

const (
	helpIndent = "   "
	maxHelp    = 100 // columns of a paragraph on a wide terminal
	maxNames   = 34  // columns of the names beside which a description begins
)

// printHelp writes the help of an application or a command, wrapped at the width
// of the terminal. It replaces cli's templates.
func printHelp(w io.Writer, _ string, about any) {
	h := help{w: w, width: present.Width(w)}
	switch about := about.(type) {
	case *cli.App:
		h.section("NAME", func() { h.paragraph(about.Name + " - " + about.Usage) })
		h.section("USAGE", func() { h.paragraph(about.Name + " [global options] command [command options]") })
		h.section("VERSION", func() { h.paragraph(about.Version) })
		h.commands(about.VisibleCommands())
		h.flags("GLOBAL OPTIONS", about.VisibleFlags(), about.VisibleFlagCategories())
	case *cli.Command:
		h.command(about)
	}
}

func (h *help) command(c *cli.Command) {
	h.section("NAME", func() { h.paragraph(c.HelpName + " - " + c.Usage) })
	usage := c.HelpName
	if len(c.VisibleCommands()) > 1 { // besides help
		usage += " [command]"
	}
	if len(c.VisibleFlags()) > 0 {
		usage += " [command options]"
	}
	h.section("USAGE", func() { h.paragraph(strings.TrimSpace(usage + " " + c.ArgsUsage)) })
	if c.Description != "" {
		h.section("DESCRIPTION", func() { h.text(c.Description) })
	}
	h.commands(c.VisibleCommands())
	h.flags("OPTIONS", c.VisibleFlags(), c.VisibleFlagCategories())
}

// help writes sections.
type help struct {
	w     io.Writer
	width int // of the terminal, 0 without one
	begun bool
}

func (h *help) section(title string, content func()) {
	if h.begun {
		fmt.Fprintln(h.w)
	}
	h.begun = true
	_ = present.Styled(h.w, present.Bold, title+":")
	fmt.Fprintln(h.w)
	content()
}

// paragraph writes a text, wrapped.
func (h *help) paragraph(text string) { h.indented(text, helpIndent, helpIndent) }

// indented writes a text whose first line begins with one indent, and the others
// with another of the same width.
func (h *help) indented(text, first, others string) {
	width := 0
	if h.width > 0 {
		width = max(20, min(h.width, maxHelp)-len(others))
	}
	for i, line := range present.Wrap(text, width) {
		if i > 0 {
			first = others
		}
		fmt.Fprintln(h.w, strings.TrimRight(first+line, " "))
	}
}

// text writes a description. Its paragraphs are wrapped; indented lines, such as
// examples, keep their form.
func (h *help) text(description string) {
	var paragraph []string
	flush := func() {
		if len(paragraph) == 0 {
			return
		}
		if h.width == 0 { // as it was written
			for _, line := range paragraph {
				fmt.Fprintln(h.w, helpIndent+line)
			}
		} else {
			h.paragraph(strings.Join(paragraph, " "))
		}
		paragraph = nil
	}
	for line := range strings.SplitSeq(description, "\n") {
		if line != "" && !strings.HasPrefix(line, " ") {
			paragraph = append(paragraph, line)
			if strings.HasSuffix(line, ":") { // a list follows
				flush()
			}
			continue
		}
		flush()
		fmt.Fprintln(h.w, strings.TrimRight(helpIndent+line, " "))
	}
	flush()
}

func (h *help) commands(commands []*cli.Command) {
	var rows [][2]string
	for _, c := range commands {
		if c.Name != "help" {
			rows = append(rows, [2]string{strings.Join(c.Names(), ", "), c.Usage})
		}
	}
	if len(rows) > 0 {
		h.section("COMMANDS", func() { h.rows(rows) })
	}
}

// flags writes flags by their categories, or all together if none has one.
func (h *help) flags(title string, all []cli.Flag, categories []cli.VisibleFlagCategory) {
	if len(all) == 0 {
		return
	}
	h.section(title, func() {
		if len(categories) == 0 {
			h.rows(flagRows(all))
		}
		for i, category := range categories {
			if i > 0 {
				fmt.Fprintln(h.w)
			}
			if category.Name() != "" {
				h.paragraph(category.Name())
			}
			h.rows(flagRows(category.Flags()))
		}
	})
}

// flagRows returns the names and the descriptions of flags.
func flagRows[F fmt.Stringer](flags []F) (rows [][2]string) {
	for _, f := range flags {
		names, usage, _ := strings.Cut(f.String(), "\t")
		names, _, _ = strings.Cut(names, " [ ") // --by X [ --by X ]: the description says that it may be repeated
		rows = append(rows, [2]string{names, strings.TrimSuffix(strings.TrimSpace(usage), " (default: false)")})
	}
	return rows
}

// rows writes names with descriptions beside them, or below a name that is long.
func (h *help) rows(rows [][2]string) {
	widest := 0
	for _, r := range rows {
		if n := len(r[0]); n <= maxNames {
			widest = max(widest, n)
		}
	}
	others := helpIndent + strings.Repeat(" ", widest+2)
	for _, r := range rows {
		first := fmt.Sprintf("%s%-*s", helpIndent, widest+2, r[0])
		if len(r[0]) > widest {
			fmt.Fprintln(h.w, helpIndent+r[0])
			first = others
		}
		h.indented(r[1], first, others)
	}
}
