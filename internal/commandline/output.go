package commandline

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"tkit/internal/present"
	"tkit/internal/printable"
)

// Show prints a value as JSON with --json, and otherwise as text writes it.
func Show(c *cli.Context, value any, text func(w io.Writer) error) error {
	if c.Bool("json") {
		return present.JSON(c.App.Writer, value)
	}
	return text(c.App.Writer)
}

// ShowList prints items as a JSON array with --json, and otherwise as a table
// with one row for each item. Without items the table is replaced by the
// sentence empty, unless that is "".
func ShowList[T any](c *cli.Context, items []T, empty string, header []string, row func(T) []string) error {
	if items == nil {
		items = []T{} // which is [] in JSON, and not null
	}
	return Show(c, items, func(w io.Writer) error {
		if len(items) == 0 && empty != "" {
			_, err := fmt.Fprintln(w, empty)
			return err
		}
		return present.Rows(w, header, items, row)
	})
}

// ShowDone reports what a command did: what changed, as JSON with --json, and
// otherwise a sentence.
func ShowDone(c *cli.Context, changed any, format string, values ...any) error {
	return Show(c, changed, func(w io.Writer) error {
		_, err := printable.Fprintf(w, format+"\n", values...)
		return err
	})
}
