package sink

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// DefaultTemplate spreads images over 256 folders.
const DefaultTemplate = "{hash}"

// A Template gives each image its folder: a path with fixed parts and these
// placeholders:
//
//	{hash}                        the first two digits of the SHA-256
//	{date} {year} {month} {day}   of the image, in UTC: 2026-11-30, 2026, 11, 30
//	{label} {model}               the most probable label, and the model that gave it
//	{source}                      the folder of the source
type Template struct{ text string }

// Values are those of the placeholders.
type Values struct {
	SHA256               string
	Date                 time.Time
	Label, Model, Source string
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// functions give the values of the placeholders.
var functions = map[string]func(v Values) string{
	"{hash}":   func(v Values) string { return v.SHA256[:2] },
	"{date}":   func(v Values) string { return v.Date.UTC().Format("2006-01-02") },
	"{year}":   func(v Values) string { return v.Date.UTC().Format("2006") },
	"{month}":  func(v Values) string { return v.Date.UTC().Format("01") },
	"{day}":    func(v Values) string { return v.Date.UTC().Format("02") },
	"{label}":  func(v Values) string { return safe(v.Label) },
	"{model}":  func(v Values) string { return safe(v.Model) },
	"{source}": func(v Values) string { return safe(v.Source) },
}

// mostBytes is the size of the longest folder, so that a mark fits in a name.
const mostBytes = 240

// ParseTemplate reads a template.
func ParseTemplate(text string) (*Template, error) {
	size := len(text)
	for _, p := range placeholder.FindAllString(text, -1) {
		if functions[p] == nil {
			return nil, fmt.Errorf("partition %q: there is no %s; there are {hash}, {date}, {year}, {month}, {day}, {label}, {model} and {source}", text, p)
		}
		if size += len("2006-01-02"); slices.Contains([]string{"{label}", "{model}", "{source}"}, p) {
			size += mostOfValue
		}
	}
	fixed := placeholder.ReplaceAllString(text, "x")
	switch {
	case fixed != path.Clean(fixed) || path.IsAbs(fixed) || fixed == "." || fixed == ".." || strings.HasPrefix(fixed, "../"):
		return nil, fmt.Errorf("partition %q: it must be a relative path, without .. and empty parts", text)
	case strings.HasPrefix(fixed, ".") || strings.Contains(fixed, "/.") || strings.ContainsAny(fixed, `{}|%:\`) || strings.ContainsFunc(fixed, unicode.IsControl):
		return nil, fmt.Errorf(`partition %q: its parts must not begin with a dot, and not contain {, }, |, %%, :, \ or control characters`, text)
	case size > mostBytes:
		return nil, fmt.Errorf("partition %q: folders could get names of %d bytes, and %d are possible: make it shorter", text, size, mostBytes)
	}
	return &Template{text}, nil
}

// Folder returns the folder of an image, relative, with slashes.
func (t *Template) Folder(v Values) string {
	return placeholder.ReplaceAllStringFunc(t.text, func(p string) string { return functions[p](v) })
}

// fixed reports whether an image always has the same folder.
func (t *Template) fixed() bool {
	return !strings.Contains(strings.ReplaceAll(t.text, "{hash}", ""), "{")
}

// mostOfValue is the size of the longest name for a value, in bytes.
const mostOfValue = 64

// safe returns a value as a part of a file's name. Different values have different
// names: what may not be in a name is %XX, as in URLs, and a name that would be too
// long ends with %~ and a digest of the value. No value is %none.
func safe(value string) string {
	if value == "" {
		return "%none"
	}
	var b strings.Builder
	for i, r := range value {
		n := utf8.RuneLen(r)
		if r == utf8.RuneError {
			_, n = utf8.DecodeRuneInString(value[i:])
		}
		// Programs of Hadoop ignore names that begin with a dot or _.
		if i == 0 && (r == '.' || r == '_') || r == utf8.RuneError || unicode.IsControl(r) || strings.ContainsRune(`/\%:*?"<>|={},`, r) {
			for _, c := range []byte(value[i : i+n]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
			continue
		}
		b.WriteRune(r)
	}
	name := b.String()
	if len(name) <= mostOfValue {
		return name
	}
	sum := sha256.Sum256([]byte(value))
	end := "%~" + hex.EncodeToString(sum[:10])
	return strings.ToValidUTF8(name[:mostOfValue-len(end)], "") + end
}
