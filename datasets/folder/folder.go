// Package folder implements the format of one folder per class: its name is the
// label, and the images are below it at any depth. With Config.Parent the label
// is the name of the folder that contains the image.
//
// Files that systems create are skipped silently: names that begin with a dot,
// and __MACOSX, Thumbs.db, desktop.ini, @eaDir, $RECYCLE.BIN and lost+found in
// any case, and the records of pipelines. Everything else is listed, and what is not an image is then
// quarantined by name: also a file outside every class folder, which has no
// label, and a class folder without files.
package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strings"

	"tkit/datasets"
	"tkit/datasets/files"
)

// Format is the name of this format in URIs.
const Format = "folder"

// Config says how the folders are interpreted.
type Config struct {
	// Splits means that a folder in the path of an image is a side of a split,
	// by datasets.SideNamed: the first such folder. The classes are the folders
	// below it, or the one above it if there is none below. An image in no such
	// folder has no label.
	Splits bool
	// Parent means that the label is the name of the last folder, which
	// contains the image, instead of the first.
	Parent bool
	// Explicit means that the URI must give the format: without it, folders
	// with the names of sides would be detected as sides.
	Explicit bool
}

// Source is a tree with a folder per class.
type Source struct {
	tree   files.Tree
	config Config
}

var _ datasets.Source = (*Source)(nil)

// New returns the source of a tree, and closes the tree with the source.
func New(tree files.Tree, c Config) *Source { return &Source{tree, c} }

// URI returns the tree's URI with the options.
func (s *Source) URI() string {
	options := url.Values{}
	if s.config.Splits || s.config.Explicit {
		options.Set("format", Format)
	}
	if s.config.Splits {
		options.Set("splits", "folders")
	}
	if s.config.Parent {
		options.Set("format", Format)
		options.Set("label", "parent")
	}
	return files.URI(s.tree, "", options)
}

// User returns the identity used to read the tree.
func (s *Source) User() string { return files.User(s.tree) }

// MayRead checks files: a key is the path in the tree.
func (s *Source) MayRead(ctx context.Context, keys iter.Seq[string]) error {
	return files.MayRead(ctx, s.tree, keys)
}

// Close closes the tree.
func (s *Source) Close() error { return s.tree.Close() }

// Examples lists the files. The key is the path in the tree. At most the names
// of one folder at each depth are in memory. A folder that cannot be listed
// ends the sequence with an error.
func (s *Source) Examples(ctx context.Context) iter.Seq2[datasets.Example, error] {
	return func(yield func(datasets.Example, error) bool) {
		w := walk{source: s, ctx: ctx, yield: yield}
		if _, err := w.folder(""); err != nil && !errors.Is(err, errStopped) {
			yield(datasets.Example{}, err)
		}
	}
}

// errStopped ends a walk whose consumer stops.
var errStopped = errors.New("stopped")

// errEmptyClass is the error of opening a class folder without files: a class
// that was created but not filled must be reported.
var errEmptyClass = fmt.Errorf("%w: the class folder has no files", datasets.ErrRefused)

// walk is one listing.
type walk struct {
	source *Source
	ctx    context.Context
	yield  func(datasets.Example, error) bool
}

// folder lists a folder and those below it, and returns the number of its
// names.
func (w *walk) folder(dir string) (entries int, err error) {
	for info, err := range w.source.tree.List(w.ctx, dir) {
		if err != nil {
			return entries, err
		}
		if files.LeftBehind(info.Name()) {
			continue
		}
		entries++
		if err := w.entry(info); err != nil {
			return entries, err
		}
	}
	return entries, w.ctx.Err()
}

func (w *walk) entry(info files.Info) error {
	if !info.Directory {
		return w.emit(info.Path, info.Refused)
	}
	within, err := w.folder(info.Path)
	if err != nil {
		return err
	}
	if _, label, below := w.source.place(info.Path + "/"); within == 0 && label != "" && below == "" {
		return w.emit(info.Path+"/", errEmptyClass)
	}
	return nil
}

// emit lists a file, with the reason if it must not be read.
func (w *walk) emit(key string, refused error) error {
	split, label, _ := w.source.place(key)
	open := func(ctx context.Context) (io.ReadCloser, error) {
		if refused != nil {
			return nil, refused
		}
		return w.source.tree.Open(ctx, key, 0)
	}
	if !w.yield(datasets.Example{Key: key, Label: label, Split: split, Open: open}, nil) {
		return errStopped
	}
	return nil
}

// place splits a key into the side of the split, the label and the rest below
// the label's folder.
func (s *Source) place(key string) (split, label, rest string) {
	names := strings.Split(key, "/")
	folders, file := names[:len(names)-1], names[len(names)-1]
	first := 0 // the first folder below the side
	if s.config.Splits {
		for first < len(folders) && split == "" {
			split, _ = datasets.SideNamed(folders[first])
			first++
		}
		if split == "" {
			return "", "", key
		}
	}
	at := first
	switch {
	case first == len(folders) && first < 2:
		return split, "", file
	case first == len(folders): // the side is below the class
		at = first - 2
		return split, folders[at], file
	case s.config.Parent:
		at = len(folders) - 1
	}
	return split, folders[at], strings.Join(names[at+1:], "/")
}

// Reading describes how labels and sides are derived.
func (s *Source) Reading() datasets.Reading {
	r := datasets.Reading{
		Folders:   true,
		Labels:    "the names of the folders one level down",
		TakeSides: "add the option splits=folders",
		Deeper:    "give FOLDER as the dataset, or add the option label=parent",
		Further:   "if those are the classes, add the option label=parent",
	}
	if s.config.Splits {
		r.Labels, r.Sides, r.TakeSides = "the names of the folders below the sides", "the folders", ""
	}
	if s.config.Parent {
		r.Labels = "the names of the folders that the images are in"
	}
	return r
}
