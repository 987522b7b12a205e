package commandline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"tkit/internal/present"
	"tkit/internal/printable"
)

// The exit statuses of a command that fails.
const (
	StatusFailed      = 1   // what was asked for could not be done, or a check found a problem
	StatusUsage       = 2   // the command line is wrong
	StatusInterrupted = 130 // a signal ended the command
)

// maxMessage is the maximal size of a message in bytes: it may quote the content
// of a file.
const maxMessage = 8 << 10

// Run runs the command of a command line for a prepared application, or answers a
// shell that completes one. Flags may follow other arguments. Output that could not
// be written is an error.
func Run(ctx context.Context, a *cli.App, line []string) error {
	if r, is := a.Metadata[prepared].(Rules); is && isCompletion(line) {
		return r.complete(ctx, a, line)
	}
	delete(a.Metadata, notFound)
	err := a.RunContext(ctx, flagsFirst(a, line))
	if unknown, is := a.Metadata[notFound].(error); is && err == nil {
		return unknown
	}
	if w, is := a.Writer.(*printable.Writer); is && err == nil {
		return w.Err()
	}
	return err
}

// Failure is an error of a command as JSON.
type Failure struct {
	Error      string `json:"error"`
	ExitStatus int    `json:"exit_status"`
}

// Report writes the error of a command to w, as a line of text or, if the command
// line has --json, of JSON. It returns the exit status, which is 0 without an
// error. The context is the command's.
func Report(ctx context.Context, w io.Writer, line []string, err error) int {
	var usage *UsageError
	f := Failure{ExitStatus: StatusFailed}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		f.ExitStatus = StatusInterrupted
		err = fmt.Errorf("interrupted: %w", err)
	case errors.As(err, &usage):
		f.ExitStatus = StatusUsage
	}
	f.Error = printable.Cut(err.Error(), maxMessage)
	if wantsJSON(line) {
		_ = json.NewEncoder(w).Encode(f) // the exit status remains
	} else {
		first, others, _ := strings.Cut(f.Error, "\n") // such as of joined errors
		_ = present.Labelled(w, present.Red, "tkit", first)
		for line := range strings.Lines(others) {
			for _, part := range present.Wrap(strings.TrimSuffix(line, "\n"), present.Width(w)) {
				fmt.Fprintln(w, part)
			}
		}
	}
	return f.ExitStatus
}

// wantsJSON reports whether a command line sets --json, also if it could not be parsed.
// The last one is in force.
func wantsJSON(line []string) (wants bool) {
	for _, word := range line {
		if word == "--" {
			break
		}
		name, value, given := strings.Cut(word, "=")
		if name == "--json" || name == "-json" {
			on, err := strconv.ParseBool(value)
			wants = !given || err == nil && on
		}
	}
	return wants
}
