package all

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// name is what names a dataset: where it is, and options.
type name struct {
	at      string // a URI without options, or a path
	options url.Values
}

// options are those that are about the format. Others belong to the store.
var options = []string{"format", "files", "splits", "image", "label", "group", "split"}

// pathOptions are the options after a plain path, in which anything else may
// be part of a name.
var pathOptions = regexp.MustCompile(`\?(` + strings.Join(options, "|") + `)=[^/]*$`)

// parse takes the options off.
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
		return n, fmt.Errorf("dataset %s: its options: %w", uri, err)
	}
	n.at = uri[:at]
	for option, values := range query {
		if !slices.Contains(options, option) {
			continue // the store's, which says whether it has it
		}
		if len(values) != 1 || values[0] == "" {
			return n, fmt.Errorf("dataset %s: give %s= once, with a value", uri, option)
		}
		n.options.Set(option, values[0])
		delete(query, option)
	}
	if len(query) > 0 {
		n.at += "?" + query.Encode()
	}
	return n, nil
}

func schemeOf(uri string) (scheme string, found bool) {
	scheme, _, found = strings.Cut(uri, "://")
	if !found || strings.ContainsAny(scheme, `/\.`) {
		return "", false
	}
	return scheme, true
}

// parent parts off the last element of the path. The store's options stay with
// the folder. It fails where there is no element.
func (n name) parent() (folder, last string, ok bool) {
	at, query := n.at, ""
	_, isURI := schemeOf(at)
	if i := strings.IndexByte(at, '?'); isURI && i >= 0 {
		at, query = at[:i], at[i:]
	}
	at = strings.TrimRight(at, "/")
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
	return folder + query, last, last != "" && last != "." && last != ".."
}
