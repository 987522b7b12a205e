package graph

import (
	"fmt"
	"io"
	"strings"

	"tkit/internal/present"
	"tkit/internal/printable"
)

// Formats are those of Write.
var Formats = []string{"text", "svg", "dot", "json"}

// Write writes the graph in a format.
func (g *Graph) Write(w io.Writer, format string) error {
	switch format {
	case "text":
		return g.WriteText(w)
	case "svg":
		return g.WriteSVG(w, nil)
	case "dot":
		return g.WriteDOT(w)
	case "json":
		return present.JSON(w, g)
	}
	return fmt.Errorf("the format %q is unknown; there are %s", format, strings.Join(Formats, ", "))
}

// WriteText writes the graph as trees, one below each input. What several ways lead to
// is written once, and referred to afterwards.
func (g *Graph) WriteText(w io.Writer) error {
	t := tree{Graph: g, written: make(map[int]bool)}
	reached := make(map[int]bool)
	for _, e := range g.Edges {
		reached[e.To] = true
	}
	for i := range g.Nodes {
		if !reached[i] {
			t.write(i, "", "", "")
		}
	}
	_, err := io.WriteString(w, t.text.String())
	return err
}

type tree struct {
	*Graph
	text    strings.Builder
	written map[int]bool
}

// write writes a node with a prefix, and those after it with an indent.
func (t *tree) write(i int, prefix, indent, when string) {
	t.text.WriteString(prefix + printable.Text(t.describe(i, when)))
	if t.written[i] {
		t.text.WriteString(" (see above)\n")
		return
	}
	t.text.WriteString("\n")
	t.written[i] = true
	var next []Edge
	for _, e := range t.Edges {
		if e.From == i {
			next = append(next, e)
		}
	}
	for n, e := range next {
		if n == len(next)-1 {
			t.write(e.To, indent+"└─ ", indent+"   ", e.When)
		} else {
			t.write(e.To, indent+"├─ ", indent+"│  ", e.When)
		}
	}
}

func (t *tree) describe(i int, when string) string {
	n := t.Nodes[i]
	text := n.Title()
	if n.Label != "" {
		text += " (" + n.Component + ")"
	}
	if n.Detail != "" {
		text += ": " + n.Detail
	}
	if when != "" {
		text = "[" + when + "] " + text
	}
	return text
}

// WriteDOT writes the graph in the language of Graphviz.
func (g *Graph) WriteDOT(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n\trankdir=LR;\n\tnode [shape=box, fontname=\"sans-serif\"];\n", quote(g.Name))
	for i, n := range g.Nodes {
		label := n.Title()
		if n.Detail != "" {
			label += "\n" + n.Detail
		}
		fmt.Fprintf(&b, "\tn%d [label=%s];\n", i, quote(label))
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "\tn%d -> n%d", e.From, e.To)
		if e.When != "" {
			fmt.Fprintf(&b, " [label=%s]", quote(e.When))
		}
		b.WriteString(";\n")
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// quote returns a string of Graphviz.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
