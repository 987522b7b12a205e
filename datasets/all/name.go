package all

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"tkit/internal/spelling"
)

// name is a dataset's location and options.
type name struct {
	at      string // a URI without options, or a path
	options url.Values
}

// options lists all options.
var options = []string{"format", "files", "splits", "image", "label", "group", "split"}

// pathOptions are the options after a plain path, in which other text may be
// part of a name. Their values may contain slashes.
var pathOptions = regexp.MustCompile(`(?s)\?(` + strings.Join(options, "|") + `)=.*$`)

// mistyped matches what looks like options after a plain path but has an
// unknown name.
var mistyped = regexp.MustCompile(`\?([A-Za-z_-]+)=`)

// parse splits off the options.
func parse(uri string) (name, error) {
	n := name{at: uri, options: url.Values{}}
	at := -1
	if _, isURI := schemeOf(uri); isURI {
		at = strings.IndexByte(uri, '?')
	} else if found := pathOptions.FindStringIndex(uri); found != nil {
		at = found[0]
	}
	if at < 0 {
		return n, nil
	}
	query, err := url.ParseQuery(uri[at+1:])
	if err != nil {
		return n, fmt.Errorf("dataset %s: options: %w", uri, err)
	}
	n.at = uri[:at]
	for option, values := range query {
		if !slices.Contains(options, option) {
			return n, fmt.Errorf("dataset %s: %w", uri, unknownOption(option))
		}
		if len(values) != 1 || values[0] == "" {
			return n, fmt.Errorf("dataset %s: give %s= once, with a value", uri, option)
		}
		n.options.Set(option, values[0])
	}
	return n, nil
}

// unknownOption suggests the option that may have been meant.
func unknownOption(given string) error {
	hint := ""
	if meant := spelling.Nearest(given, options); meant != "" {
		hint = fmt.Sprintf(": did you mean %s=?", meant)
	}
	return fmt.Errorf("there is no option %q%s There are %s; a ? within a name is %%3F in a URI", given, cmp.Or(hint, "."), strings.Join(options, ", "))
}

// missing adds, to the error about a plain path that does not exist, a hint
// about a mistyped option.
func (n name) missing(err error) error {
	if _, isURI := schemeOf(n.at); isURI || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if found := mistyped.FindStringSubmatch(n.at); found != nil {
		return fmt.Errorf("%w; if ?%s= begins options: %w", err, found[1], unknownOption(found[1]))
	}
	return err
}

func schemeOf(uri string) (scheme string, found bool) {
	scheme, _, found = strings.Cut(uri, "://")
	if !found || strings.ContainsAny(scheme, `/\.`) {
		return "", false
	}
	return scheme, true
}

// parent splits off the last element of the path. It returns false if there is
// none.
func (n name) parent() (folder, last string, ok bool) {
	_, isURI := schemeOf(n.at)
	at := strings.TrimRight(n.at, "/")
	i := strings.LastIndexByte(at, '/')
	folder, last = at[:i+1], at[i+1:]
	if isURI {
		if strings.HasSuffix(folder, "://") {
			return "", "", false
		}
		unescaped, err := url.PathUnescape(last)
		if err != nil {
			return "", "", false
		}
		last = unescaped
	}
	if folder == "" {
		folder = "."
	}
	return folder, last, last != "" && last != "." && last != ".."
}
