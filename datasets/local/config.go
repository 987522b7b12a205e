package local

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// Scheme is that of the URIs of this store.
const Scheme = "file"

// Config gives a tree's location.
type Config struct {
	// Root is the folder that is the root of the tree.
	Root string
}

// ParseConfig parses a plain path, used literally, or a file:// URI, in which
// %xx is an escaped byte.
func ParseConfig(uri string) (Config, error) {
	if uri == "" {
		return Config{}, errNoRoot
	}
	if !strings.HasPrefix(uri, Scheme+"://") {
		return Config{Root: uri}, nil
	}
	u, err := url.Parse(uri)
	if err != nil {
		return Config{}, err // a *url.Error, which contains the URI
	}
	switch {
	case u.Host != "" && u.Host != "localhost":
		return Config{}, fmt.Errorf("%s: the host is %q, but a file URI means this machine: write file:///%s%s", uri, u.Host, u.Host, u.EscapedPath())
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return Config{}, fmt.Errorf("%s: a file URI may only have a path: write ? as %%3F and # as %%23", uri)
	case u.Path == "":
		return Config{}, fmt.Errorf("%s: the URI has no path", uri)
	}
	return Config{Root: filepath.FromSlash(u.Path)}, nil
}

var errNoRoot = errors.New("no dataset is given: give a folder with one folder per class, or a URI")

// uri returns the canonical form: file:// and the escaped absolute path.
func (c Config) uri() string {
	return (&url.URL{Scheme: Scheme, Path: filepath.ToSlash(c.Root)}).String()
}
