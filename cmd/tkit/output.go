package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"tkit/internal/printable"
)

// jsonFlag is on every command that prints something a program may want.
func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON for programs"}
}

// printJSON writes one indented JSON value.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printTable writes rows under a header, columns aligned. Cells may hold any
// text.
func printTable(w io.Writer, header []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.ToUpper(strings.Join(header, "\t")))
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable.Text(cell)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// contentWriter returns where the content of a file is written: filtered on a
// terminal, byte for byte elsewhere.
func contentWriter(w io.Writer) io.Writer {
	out := printable.Unwrap(w)
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return w
	}
	return out
}

// printDone says that something was done: what changed as JSON, for programs, or
// a sentence.
func printDone(c *cli.Context, changed map[string]any, format string, values ...any) error {
	if c.Bool("json") {
		return printJSON(c.App.Writer, changed)
	}
	_, err := printable.Fprintf(c.App.Writer, format+"\n", values...)
	return err
}
