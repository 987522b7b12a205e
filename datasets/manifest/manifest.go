// Package manifest implements the format of a list of images: a CSV file with a
// header, or lines of JSON. Each row has a path, relative to the folder of the
// manifest, and a label, and may have a group and a split:
//
//	path,label,group,split
//	scans/0001.png,benign,patient-17,train
//
//	{"path": "scans/0001.png", "label": "benign", "group": "patient-17", "split": "train"}
//
// The list is in UTF-8, or in UTF-16 with a byte order mark. Other columns and
// members are ignored with a note; a duplicate of these four is an error. A
// path that is absolute or has an element .. is listed and refused by name, and
// so is one that leaves the dataset through a link. An invalid row, or a path
// listed twice, ends the listing with the line's number: a manifest is used as
// a whole or not at all.
package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync/atomic"

	"tkit/datasets"
	"tkit/datasets/files"
)

// Format is the name of this format in URIs.
const Format = "manifest"

// Config gives the manifest's file.
type Config struct {
	// Path is the manifest's path in the tree. It is parsed as lines of JSON if
	// its name ends in .jsonl, .ndjson or .json, and as CSV otherwise.
	Path string
}

// Named reports whether a file's name is that of a manifest.
func Named(name string) bool { return linesOfJSON(name) || strings.EqualFold(path.Ext(name), ".csv") }

func linesOfJSON(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jsonl", ".ndjson", ".json":
		return true
	}
	return false
}

// Source lists the images in a manifest.
type Source struct {
	tree   files.Tree
	config Config
	finder finder
	unused atomic.Pointer[[]string] // of the last listing
}

var _ datasets.Source = (*Source)(nil)

// New returns the source of a manifest in a tree, and closes the tree with the
// source.
func New(tree files.Tree, c Config) *Source {
	return &Source{tree: tree, config: c, finder: finder{tree: tree, dir: strings.TrimPrefix(path.Dir(c.Path), ".")}}
}

// URI returns the manifest's URI.
func (s *Source) URI() string {
	return files.URI(s.tree, s.config.Path, url.Values{"format": {Format}})
}

// User returns the identity used to read the tree.
func (s *Source) User() string { return files.User(s.tree) }

// MayRead checks files: a key is the path in the manifest's folder.
func (s *Source) MayRead(ctx context.Context, keys iter.Seq[string]) error {
	return files.MayRead(ctx, s.tree, func(yield func(string) bool) {
		for key := range keys {
			if !yield(s.at(key)) {
				return
			}
		}
	})
}

// Reading describes how labels and sides are derived.
func (s *Source) Reading() datasets.Reading {
	return datasets.Reading{Labels: "the column label", TakeSides: "add a column split with each row's side"}
}

// at returns the path in the tree of a listed path.
func (s *Source) at(listed string) string {
	if dir := path.Dir(s.config.Path); dir != "." {
		return files.Join(dir, listed)
	}
	return listed
}

// Close closes the tree.
func (s *Source) Close() error { return s.tree.Close() }

// Examples lists the rows by path, which is the key. The whole manifest is read
// before the first row is yielded, and sorted in bounded memory, with a
// temporary file for the rest.
func (s *Source) Examples(ctx context.Context) iter.Seq2[datasets.Example, error] {
	return func(yield func(datasets.Example, error) bool) {
		if err := s.list(ctx, yield); err != nil && !errors.Is(err, errStopped) {
			yield(datasets.Example{}, fmt.Errorf("manifest %s: %w", s.config.Path, err))
		}
	}
}

// errStopped ends a listing whose consumer stops.
var errStopped = errors.New("stopped")

func (s *Source) list(ctx context.Context, yield func(datasets.Example, error) bool) (err error) {
	rows := sorter{limit: sortBytes}
	defer func() { err = errors.Join(err, rows.close()) }()
	if err := s.read(ctx, rows.add); err != nil {
		return err
	}
	var last row
	for r, err := range rows.sorted() {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.Path == last.Path && last.Line > 0 {
			what := "remove one"
			if r.Label != last.Label {
				what = fmt.Sprintf("with the labels %q and %q: remove the wrong one", last.Label, r.Label)
			}
			return fmt.Errorf("lines %d and %d both list %q: %s", last.Line, r.Line, r.Path, what)
		}
		last = r
		if !yield(s.example(r), nil) {
			return errStopped
		}
	}
	return nil
}

func (s *Source) example(r row) datasets.Example {
	at, refused := s.at(r.Path), files.CheckPath(r.Path)
	open := func(ctx context.Context) (io.ReadCloser, error) {
		if refused != nil {
			return nil, s.explain(ctx, r.Path, refused)
		}
		rc, err := s.tree.Open(ctx, at, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, s.explain(ctx, r.Path, err)
		}
		return rc, err
	}
	return datasets.Example{Key: r.Path, Label: r.Label, Group: r.Group, Split: r.Split, Open: open, Unlabelled: "the list gives it no label"}
}

// explain adds the name by which a listed file can be read, if there is one.
func (s *Source) explain(ctx context.Context, listed string, err error) error {
	if found, differ := s.finder.find(ctx, listed); found != "" {
		return &datasets.Mismatch{Listed: listed, Found: found, Differ: differ, Err: err}
	}
	return err
}

// Stored yields the files in a folder by the names that the list would use.
func (s *Source) Stored(ctx context.Context, folder string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		at := strings.TrimSuffix(s.at(folder), "/")
		for info, err := range s.tree.List(ctx, at) {
			if err == nil && (info.Directory || info.Path == s.config.Path || files.LeftBehind(info.Name())) {
				continue
			}
			if !yield(files.Join(folder, info.Name()), err) {
				return
			}
		}
	}
}

// read parses the manifest row by row.
func (s *Source) read(ctx context.Context, add func(row) error) (err error) {
	f, err := s.tree.Open(ctx, s.config.Path, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var parse parser = parseCSV
	if linesOfJSON(s.config.Path) {
		parse = parseJSON
	}
	unused, err := parse(f, add)
	if err == nil {
		s.unused.Store(&unused)
	}
	return err
}

// Notes names the columns of the list, or the members of its lines, that were
// ignored.
func (s *Source) Notes() []string {
	unused := s.unused.Load()
	if unused == nil || len(*unused) == 0 {
		return nil
	}
	quoted := make([]string, min(len(*unused), maxUnused))
	for i := range quoted {
		quoted[i] = strconv.Quote((*unused)[i])
	}
	more := ""
	if n := len(*unused) - len(quoted); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return []string{fmt.Sprintf("the list's columns path, label, group and split are used, but not %s%s", strings.Join(quoted, ", "), more)}
}
