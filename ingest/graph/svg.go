package graph

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"strings"

	"tkit/internal/printable"
)

// The layout in pixels: nodes are boxes in columns from left to right.
const (
	boxWidth  = 164
	boxHeight = 64
	columnGap = 46
	rowGap    = 26
	margin    = 16
	mostChars = 22 // of a line in a box
)

// colours are the borders of nodes by their kind.
var colours = map[string]string{"input": "#0b7285", "processor": "#5f3dc4", "output": "#2b8a3e"}

// WriteSVG writes the graph as a picture. Notes are additional lines in the boxes of
// nodes, such as counters, by the path of the node; they may be nil.
func (g *Graph) WriteSVG(w io.Writer, notes map[string]string) error {
	x, y, width, height := g.layOut()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" role="img" aria-label="%[3]s" font-family="system-ui, sans-serif" font-size="13">`+"\n",
		width, height, escape("The pipeline "+g.Name))
	b.WriteString(`<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#868e96"/></marker></defs>` + "\n")
	for _, e := range g.Edges {
		fromX, fromY, toX, toY := x[e.From]+boxWidth, y[e.From]+boxHeight/2, x[e.To], y[e.To]+boxHeight/2
		middle := (fromX + toX) / 2
		fmt.Fprintf(&b, `<path d="M%d %dC%d %[2]d %[3]d %[4]d %[5]d %[4]d" fill="none" stroke="#868e96" stroke-width="1.5" marker-end="url(#arrow)"/>`+"\n",
			fromX, fromY, middle, toY, toX-2)
		if e.When != "" {
			fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#868e96" font-size="11" text-anchor="middle">%s<title>%s</title></text>`+"\n",
				middle, (fromY+toY)/2-5, escape(cut(e.When, 8)), escape(e.When))
		}
	}
	for i, n := range g.Nodes {
		fmt.Fprintf(&b, `<g><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="8" fill="#fff" stroke="%s" stroke-width="1.5"/>`,
			escape(n.Path), x[i], y[i], boxWidth, boxHeight, cmp.Or(colours[n.Kind], "#868e96"))
		lines := []string{cut(n.Title(), mostChars), cut(n.Detail, mostChars), cut(notes[n.Path], mostChars)}
		for row, line := range lines {
			style := ` fill="#495057" font-size="12"`
			if row == 0 {
				style = ` fill="#212529" font-weight="600"`
			}
			fmt.Fprintf(&b, `<text x="%d" y="%d"%s>%s</text>`, x[i]+10, y[i]+20+18*row, style, escape(line))
		}
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// layOut returns the corner of each node and the size of the picture. The column of a
// node is the longest way to it.
func (g *Graph) layOut() (x, y []int, width, height int) {
	x, y = make([]int, len(g.Nodes)), make([]int, len(g.Nodes))
	column := make([]int, len(g.Nodes))
	rows := make(map[int]int)
	for i := range g.Nodes {
		for _, e := range g.Edges {
			if e.To == i {
				column[i] = max(column[i], column[e.From]+1)
			}
		}
		x[i] = margin + column[i]*(boxWidth+columnGap)
		y[i] = margin + rows[column[i]]*(boxHeight+rowGap)
		rows[column[i]]++
		width, height = max(width, x[i]+boxWidth+margin), max(height, y[i]+boxHeight+margin)
	}
	return x, y, width, height
}

// cut returns a text of at most some characters.
func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func escape(s string) string { return html.EscapeString(printable.Text(s)) }
