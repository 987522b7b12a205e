// Package page makes self-contained pages: one HTML file without scripts or
// external references, for light and dark mode, wide and narrow windows, and
// print. The content may be secret and the names in it hostile: files are
// readable only by their owner, text is escaped, and it can neither leave its
// element nor change the direction of other text.
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

// Head is the beginning of every page.
type Head struct {
	// Kind is the kind of page, in a word or two, and Title its subject.
	Kind, Title string
	// Lines follow the title: where it is, when it was made.
	Lines []string
	// Foot is the end of the page.
	Foot string
}

// Figure is a number at the beginning of the page.
type Figure struct {
	Name, Value, Note string
	Bad               bool // highlighted as a problem
}

// A Template is a kind of page.
type Template struct{ parsed *template.Template }

// New parses the template of a page's body, which can use the functions and
// blocks of layout.html. It panics on an invalid template.
func New(body string) *Template {
	t := template.New("page").Funcs(template.FuncMap{
		"count": Count, "text": text, "part": part, "share": func(v float64) float64 { return 100 * v }, "style": func() template.CSS { return template.CSS(style) },
	})
	template.Must(t.Parse(layout))
	return &Template{template.Must(t.New("body").Parse(body))}
}

// Write writes the page, passing data to the body.
func (t *Template) Write(w io.Writer, head Head, data any) error {
	return t.parsed.ExecuteTemplate(w, "page", struct {
		Head
		Data any
	}{head, data})
}

// WriteFile writes a file, readable only by its owner, with the output of
// write: completely or not at all. An existing file is replaced, even if others
// can read it.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	if s, err := os.Stat(path); err == nil && !s.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file: give the name of a file to write", path)
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

// JPEG returns an embedded image as a data URL.
func JPEG(encoded []byte) template.URL {
	return template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(encoded))
}

// Count formats an integer with separated thousands.
func Count(n int) string {
	digits := strconv.Itoa(n)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "−", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString("\u202f") // a narrow no-break space
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// longest is the maximum length of a displayed name.
const longest = 240

// text makes a name safe to display: printable, and cut if it is very long.
func text(s string) string {
	s = printable.Text(s)
	if utf8.RuneCountInString(s) > longest {
		s = string([]rune(s)[:longest]) + "…"
	}
	return s
}

// part returns n/all in percent for a style. Anything above zero is visible.
func part(n, all int) string {
	if n <= 0 || all <= 0 {
		return "0"
	}
	return strconv.FormatFloat(max(0.4, 100*float64(n)/float64(all)), 'f', 2, 64)
}
