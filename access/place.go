package access

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"
)

// A Place is where data is, in a form in which different names of one place are
// equal.
type Place struct {
	// store is "file" or "hadoop". One Hadoop cluster has many names (a name
	// service, either NameNode, HttpFS) and several protocols, so that only the
	// path counts: equal paths of two clusters are treated as one place, which
	// may restrict too much but never too little.
	store string
	path  string // clean, absolute, with slashes
}

// stores are those of the schemes of URIs.
var stores = map[string]string{"file": "file", "hdfs": "hadoop", "webhdfs": "hadoop", "swebhdfs": "hadoop"}

// Locate finds the place of a dataset's URI, or of a path of this machine, and the URI
// to open it by: the symbolic links of a local path are resolved, so that the decision
// is about what is opened. The place of a manifest is its folder, since it names files
// beside it.
func Locate(uri string) (canonical string, _ Place, err error) {
	scheme, rest, found := strings.Cut(uri, "://")
	if !found || strings.ContainsAny(scheme, `/\.`) {
		return locateFile(uri, "")
	}
	store, known := stores[scheme]
	if !known {
		return "", Place{}, fmt.Errorf("%w: dataset %s: unknown scheme %s://", ErrInvalid, uri, scheme)
	}
	u, err := url.Parse(uri)
	if err != nil {
		return "", Place{}, fmt.Errorf("%w: dataset: %w", ErrInvalid, err)
	}
	if scheme == "file" {
		if u.Host != "" && u.Host != "localhost" || u.Path == "" {
			return "", Place{}, fmt.Errorf("%w: dataset %s: write file:///FOLDER", ErrInvalid, uri)
		}
		return locateFile(filepath.FromSlash(u.Path), u.RawQuery)
	}
	clean := path.Clean("/" + u.Path)
	if rest == "" {
		return "", Place{}, fmt.Errorf("%w: dataset %s names no cluster", ErrInvalid, uri)
	}
	// A file below it has a second name, by its number.
	if clean == "/.reserved" || strings.HasPrefix(clean, "/.reserved/") {
		return "", Place{}, fmt.Errorf("%w: dataset %s: name the folder by its own path, not by one below /.reserved", ErrInvalid, uri)
	}
	u.Path, u.RawPath = clean, ""
	return u.String(), place(store, u), nil
}

// place returns the place of a clean URI.
func place(store string, u *url.URL) Place {
	p := path.Clean("/" + u.Path)
	if store == "hadoop" {
		p = livePath(p)
	}
	switch strings.ToLower(path.Ext(p)) {
	case ".csv", ".tsv", ".json", ".jsonl", ".ndjson":
		return Place{store, path.Dir(p)}
	}
	if u.Query().Get("format") == "manifest" {
		return Place{store, path.Dir(p)}
	}
	return Place{store, p}
}

// livePath returns the current path of a path in an HDFS snapshot: /data/scans
// for /data/.snapshot/monday/scans.
func livePath(p string) string {
	var kept []string
	elements := strings.Split(p, "/")
	for i := 0; i < len(elements); i++ {
		if elements[i] == ".snapshot" {
			i++ // and the snapshot's name
			continue
		}
		kept = append(kept, elements[i])
	}
	return path.Clean("/" + strings.Join(kept, "/"))
}

func locateFile(name, query string) (string, Place, error) {
	if name == "" {
		return "", Place{}, fmt.Errorf("%w: no dataset is named", ErrInvalid)
	}
	full, err := filepath.Abs(name)
	if err == nil {
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return "", Place{}, fmt.Errorf("dataset: %w", err)
	}
	u := &url.URL{Scheme: "file", Path: filepath.ToSlash(full), RawQuery: query}
	return u.String(), place("file", u), nil
}

// placeOf returns the place of a URI that Locate or a source has written. It accesses
// no file: the target of the URI may no longer exist.
func placeOf(uri string) (Place, bool) {
	u, err := url.Parse(uri)
	if err != nil {
		return Place{}, false
	}
	store, known := stores[u.Scheme]
	return place(store, u), known
}

// overlaps reports whether two places are equal or one is below the other: training
// on a folder above a dataset trains on the dataset, too.
func (p Place) overlaps(q Place) bool {
	return p.store == q.store && (p.path == q.path || below(p.path, q.path) || below(q.path, p.path))
}

func below(inner, outer string) bool {
	return strings.HasPrefix(inner, outer) && (outer == "/" || strings.HasPrefix(inner[len(outer):], "/"))
}
