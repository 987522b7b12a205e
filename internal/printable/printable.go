// Package printable makes untrusted text safe to print: class names, file
// names, reasons, descriptions of plugins, messages of other programs. Such
// text may contain sequences that control a terminal, line breaks that forge a
// row of a table, and characters that reverse the direction of text. They are
// escaped (\n, \u001b, \u202e, \xff) as in JSON, so that filtered JSON is still
// the same JSON.
package printable

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s as one line with control characters, line separators,
// bidirectional controls and invalid UTF-8 escaped.
func Text(s string) string {
	if !strings.ContainsFunc(s, hidden) && utf8.ValidString(s) {
		return s
	}
	return string(escape(nil, []byte(s), hidden))
}

// Line is Text for a message of another program: tabs and line breaks become
// spaces, and text longer than most bytes is cut and ends with "…".
func Line(s string, most int) string {
	cut := len(s) > most
	if cut { // first, so that a huge message costs little
		s = whole(s[:most])
	}
	s = Text(strings.TrimSpace(spaces.Replace(s)))
	if len(s) > most { // escapes are longer than the characters they replace
		s, cut = whole(s[:most]), true
	}
	if cut {
		s += "…"
	}
	return s
}

// Cut cuts text to at most most bytes. Cut text ends with "…".
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return whole(text[:most]) + "…"
}

var spaces = strings.NewReplacer("\t", " ", "\r\n", " ", "\n", " ", "\r", " ", "\u2028", " ", "\u2029", " ")

// whole removes an incomplete character at the end of text.
func whole(text string) string { return text[:complete([]byte(text))] }

// Lines is Text for whole output: line feeds and tabs remain.
func Lines(text []byte) []byte {
	return escape(make([]byte, 0, len(text)), text, func(r rune) bool {
		return r != '\n' && r != '\t' && hidden(r)
	})
}

// Fprintf formats like fmt.Fprintf and passes each text argument through Text:
// strings and their slices, errors, and values with a String method.
func Fprintf(w io.Writer, format string, values ...any) (int, error) {
	shown := make([]any, len(values))
	for i, v := range values {
		shown[i] = argument(v)
	}
	return fmt.Fprintf(w, format, shown...)
}

func argument(v any) any {
	switch v := v.(type) {
	case string:
		return Text(v)
	case error:
		return Text(v.Error())
	case fmt.Stringer:
		return Text(v.String())
	case []string:
		shown := make([]string, len(v))
		for i, s := range v {
			shown[i] = Text(s)
		}
		return shown
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.String {
		return Text(r.String())
	}
	return v
}

// hidden reports whether a character is invisible or changes how others are
// displayed.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

const digits = "0123456789abcdef"

// escape appends text to out, escaping characters that must not be printed:
// \uXXXX suffices, because no character above U+FFFF is hidden. It does not use
// fmt, because a program may print megabytes of them.
func escape(out, text []byte, hide func(rune) bool) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			out = append(out, '\\', 'x', digits[text[0]>>4], digits[text[0]&15])
		case !hide(r):
			out = append(out, text[:size]...)
		case r == '\n':
			out = append(out, `\n`...)
		case r == '\r':
			out = append(out, `\r`...)
		case r == '\t':
			out = append(out, `\t`...)
		default:
			out = append(out, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
		}
		text = text[size:]
	}
	return out
}
