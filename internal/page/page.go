// Package page makes pages that stand by themselves: one file of HTML without a
// script and without a reference to anything outside it, in light and dark, for
// wide and narrow windows and for paper. What is shown may be secret, and the
// names in it hostile: files are for their owner alone, and text is escaped and
// can neither leave its place nor turn the direction of what stands beside it.
package page

import (
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"tkit/internal/durable"
	"tkit/internal/printable"
)

//go:embed layout.html
var layout string

//go:embed style.css
var style string

// Head is what every page begins with.
type Head struct {
	// Kind says what the page is, in a word or two, and Title of what.
	Kind, Title string
	// Lines stand below the title: where it is, when it was made.
	Lines []string
	// Foot stands at the end.
	Foot string
}

// Figure is a number that the page begins with.
type Figure struct {
	Name, Value, Note string
	Bad               bool // it asks for attention
}

// A Template is a kind of page.
type Template struct{ parsed *template.Template }

// New parses the template of a page's body. It can use the functions and the
// blocks of layout.html, and fails only by a programmer's mistake, in a panic.
func New(body string) *Template {
	t := template.New("page").Funcs(template.FuncMap{
		"count": Count, "text": Text, "part": part, "share": func(v float64) float64 { return 100 * v }, "style": func() template.CSS { return template.CSS(style) },
	})
	template.Must(t.Parse(layout))
	return &Template{template.Must(t.New("body").Parse(body))}
}

// Write writes the page of data, which the body is given.
func (t *Template) Write(w io.Writer, head Head, data any) error {
	return t.parsed.ExecuteTemplate(w, "page", struct {
		Head
		Data any
	}{head, data})
}

// WriteFile makes the file at path, readable by its owner alone, of what write
// writes: all of it or nothing. A file that is there is replaced, even one that
// others may read.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	if s, err := os.Stat(path); err == nil && !s.Mode().IsRegular() {
		return fmt.Errorf("%s is no file: name one to write", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".tkit-page-*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return durable.SyncFolder(filepath.Dir(path))
}

// JPEG is the address of an image that is a part of the page.
func JPEG(encoded []byte) template.URL {
	return template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(encoded))
}

// Count writes a whole number with its thousands apart.
func Count(n int) string {
	digits := strconv.Itoa(n)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "−", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString("\u202f") // a narrow space that does not break
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// longest is how much of a name is shown.
const longest = 240

// Text is a name as it may be shown: printable, and cut where it is very long.
func Text(s string) string {
	s = printable.Text(s)
	if utf8.RuneCountInString(s) > longest {
		s = string([]rune(s)[:longest]) + "…"
	}
	return s
}

// part is what n is of all, in percent for a style; anything at all can be seen.
func part(n, all int) string {
	if n <= 0 || all <= 0 {
		return "0"
	}
	return strconv.FormatFloat(max(0.4, 100*float64(n)/float64(all)), 'f', 2, 64)
}
