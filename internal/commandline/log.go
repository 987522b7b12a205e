package commandline

import (
	"encoding/json"
	"log/slog"

	"github.com/urfave/cli/v2"

	"tkit/internal/present"
	"tkit/internal/printable"
)

// NewLog returns a command's log on standard error: lines of text or, with --json,
// of JSON. A duration, which in text has its unit, is in JSON a number of seconds
// whose name ends in _seconds. The log is verbose if it has debug messages.
func NewLog(c *cli.Context, verbose bool) *slog.Logger {
	o := &slog.HandlerOptions{}
	if verbose {
		o.Level = slog.LevelDebug
	}
	if !c.Bool("json") {
		return slog.New(slog.NewTextHandler(c.App.ErrWriter, o))
	}
	o.ReplaceAttr = func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration {
			return slog.Float64(a.Key+"_seconds", a.Value.Duration().Seconds())
		}
		return a
	}
	return slog.New(slog.NewJSONHandler(c.App.ErrWriter, o))
}

// Tell tells the user about something besides the result of a command, on standard
// error: as "KIND: TEXT" or, with --json, as an object. Kinds are warning and note.
func Tell(c *cli.Context, kind, text string) {
	if c.Bool("json") {
		_ = json.NewEncoder(c.App.ErrWriter).Encode(map[string]string{kind: text})
		return
	}
	style := present.Style("")
	if kind == "warning" {
		style = present.Yellow
	}
	_ = present.Labelled(c.App.ErrWriter, style, kind, printable.Text(text))
}
