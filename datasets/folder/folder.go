// Package folder is the format of a folder per class: its name is the label,
// and the images are below it at any depth. With Config.Parent the label is the
// name of the folder that an image is in.
//
// Skipped without a word is what systems leave behind and nobody means as an
// image: names that begin with a dot, and __MACOSX, Thumbs.db, desktop.ini,
// @eaDir, $RECYCLE.BIN and lost+found in any case. Everything else is listed,
// and what is no image is then quarantined by name: so is a file outside every
// class folder, which has no label, and a class folder without any file.
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

// Config says how the folders are meant.
type Config struct {
	// Splits says that a folder in the path of an image stands for the side of
	// a split, as datasets.SideNamed reads its name: the first that does. The
	// folders below it are those of the classes, or the one above it where
	// there is none below. An image in no such folder has no label.
	Splits bool
	// Parent says that the label is the name of the last folder, the one that
	// the image is in, and not of the first.
	Parent bool
	// Explicit says that the URI has to name the format: without it, folders
	// with the names of sides would be found to be these.
	Explicit bool
}

// Source is a tree with a folder per class.
type Source struct {
	tree   files.Tree
	config Config
}

var _ datasets.Source = (*Source)(nil)

// New returns the source of a tree, which it closes when it is closed.
func New(tree files.Tree, c Config) *Source { return &Source{tree, c} }

// URI is that of the tree, with the options.
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

// User is as whom the tree is read.
func (s *Source) User() string { return files.User(s.tree) }

// MayRead asks for files: a key is the path in the tree.
func (s *Source) MayRead(ctx context.Context, keys iter.Seq[string]) error {
	return files.MayRead(ctx, s.tree, keys)
}

// Close closes the tree.
func (s *Source) Close() error { return s.tree.Close() }

// Examples lists the files. The key is the path in the tree. Memory holds the
// names of one folder at each depth at most. A folder that cannot be listed
// ends the sequence with an error.
func (s *Source) Examples(ctx context.Context) iter.Seq2[datasets.Example, error] {
	return func(yield func(datasets.Example, error) bool) {
		w := walk{source: s, ctx: ctx, yield: yield}
		if _, err := w.folder(""); err != nil && !errors.Is(err, errStopped) {
			yield(datasets.Example{}, err)
		}
	}
}

// errStopped ends a walk whose consumer wants no more.
var errStopped = errors.New("stopped")

// errEmptyClass is what opening a class folder without files gives: a class
// that somebody made and did not fill must not vanish without a word.
var errEmptyClass = fmt.Errorf("%w: the class folder has no files", datasets.ErrRefused)

// walk is one listing.
type walk struct {
	source *Source
	ctx    context.Context
	yield  func(datasets.Example, error) bool
}

// folder lists a folder and those below it, and says how many names it has.
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

// place parts a key into the side of the split, the label and the rest of it
// below the folder that is the label.
func (s *Source) place(key string) (split, label, rest string) {
	names := strings.Split(key, "/")
	folders, file := names[:len(names)-1], names[len(names)-1]
	first := 0 // of the folders below the side
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

// Reading says how labels and sides are read.
func (s *Source) Reading() datasets.Reading {
	r := datasets.Reading{
		Folders:   true,
		Labels:    "the names of the folders one level down",
		TakeSides: "add the option splits=folders",
		Deeper:    "name FOLDER as the dataset, or add the option label=parent",
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
