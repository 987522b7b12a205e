package present

import (
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"tkit/internal/printable"
)

// terminal returns the terminal behind w, or nil.
func terminal(w io.Writer) *os.File {
	f, ok := printable.Unwrap(w).(*os.File)
	if ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// Width returns the number of columns of the terminal behind w, or what its method
// Columns returns if it has one. It is 0, which means no limit, if there is no terminal
// or its size is unknown: output for programs is never wrapped.
func Width(w io.Writer) int {
	if shown, is := w.(interface{ Columns() int }); is {
		return shown.Columns()
	}
	f := terminal(w)
	if f == nil {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// A Style is the appearance of text on a terminal with colours.
type Style string

// The styles, by their escape sequences.
const (
	Bold   Style = "\x1b[1m"
	Red    Style = "\x1b[31m"
	Yellow Style = "\x1b[33m"
)

// Styled writes text to w, in a style if w is a terminal that shows colours: not if
// NO_COLOR is set (https://no-color.org) or TERM is dumb.
func Styled(w io.Writer, s Style, text string) error {
	f := terminal(w)
	if f == nil || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		_, err := io.WriteString(w, text)
		return err
	}
	if _, err := f.WriteString(string(s)); err != nil {
		return err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	_, err := f.WriteString("\x1b[0m")
	return err
}

// Labelled writes "LABEL: TEXT" as a paragraph as wide as the terminal behind w, with the
// label in a style, "" for none.
func Labelled(w io.Writer, s Style, label, text string) error {
	label += ":"
	for i, line := range Wrap(label+" "+text, Width(w)) {
		if rest, is := strings.CutPrefix(line, label); is && i == 0 && s != "" {
			if err := Styled(w, s, label); err != nil {
				return err
			}
			line = rest
		}
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// Wrap breaks text into lines of at most width columns, at spaces where it can.
// There is at least one line. A width of 0 means no limit.
func Wrap(text string, width int) (lines []string) {
	if width <= 0 || utf8.RuneCountInString(text) <= width {
		return []string{text}
	}
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		line = word
		for utf8.RuneCountInString(line) > width { // such as a digest
			runes := []rune(line)
			lines, line = append(lines, string(runes[:width])), string(runes[width:])
		}
	}
	return append(lines, line)
}
