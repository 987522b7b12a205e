package access

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"
)

// A Place is where data lies, in a form by which two names for one place can
// be told to be one.
type Place struct {
	// store tells places apart that have nothing in common: "file" or
	// "hadoop". One Hadoop cluster is reached by many names (a name service,
	// either NameNode, HttpFS) and over several protocols, so that only the
	// path counts: two clusters' equal paths are taken for one, which closes
	// too much and never too little.
	store string
	path  string // clean, absolute, with slashes
}

// stores tells by scheme which files are the same.
var stores = map[string]string{"file": "file", "hdfs": "hadoop", "webhdfs": "hadoop", "swebhdfs": "hadoop"}

// Locate finds the place of a dataset's URI, or of a path of this machine, and
// the URI by which to open it: a local one has its symbolic links resolved, so
// that what is opened is what was decided on. A manifest stands for its folder,
// since it names what lies beside it.
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
	// Below it a file has a second name, by its number.
	if clean == "/.reserved" || strings.HasPrefix(clean, "/.reserved/") {
		return "", Place{}, fmt.Errorf("%w: dataset %s: name the folder by its own path, not by one below /.reserved", ErrInvalid, uri)
	}
	u.Path, u.RawPath = clean, ""
	return u.String(), place(store, u), nil
}

// place is that of a clean URI.
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

// livePath is the path of which one in a snapshot of HDFS's is an earlier state:
// /data/.snapshot/monday/scans is /data/scans.
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

// placeOf is the place of a URI that Locate or a source has written. It looks
// at no file: what the URI names may be gone.
func placeOf(uri string) (Place, bool) {
	u, err := url.Parse(uri)
	if err != nil {
		return Place{}, false
	}
	store, known := stores[u.Scheme]
	return place(store, u), known
}

// overlaps says whether one place is the other or lies below it: training on a
// folder above a dataset trains on the dataset as well.
func (p Place) overlaps(q Place) bool {
	return p.store == q.store && (p.path == q.path || below(p.path, q.path) || below(q.path, p.path))
}

func below(inner, outer string) bool {
	return strings.HasPrefix(inner, outer) && (outer == "/" || strings.HasPrefix(inner[len(outer):], "/"))
}
