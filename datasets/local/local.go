// Package local reads datasets from a folder of this machine: a folder per
// class, its name the label, and the images below it at any depth.
//
// Skipped without a word is what systems leave behind and nobody means as an
// image: names that begin with a dot, and __MACOSX, Thumbs.db, desktop.ini,
// @eaDir, $RECYCLE.BIN and lost+found in any case. Everything else is listed,
// and what is no image is then quarantined by name: so is a file outside every
// class folder, which has no label, and a class folder without any file.
//
// A symbolic link to a file is followed if it stays inside the root, and
// refused by name if it leaves it, even where the links or the file change
// while a dataset is read. An absolute link counts as leaving. Links to
// folders are refused by name, since they make loops and count images twice.
// Named pipes, sockets and devices are refused by name without being opened.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"tkit/datasets"
)

// Source is a folder with one folder per class.
type Source struct{ config Config }

var _ datasets.Source = (*Source)(nil)

// New returns the source of a folder, which must exist.
func New(c Config) (*Source, error) {
	if c.Root == "" {
		return nil, errors.New("no dataset is named: give a folder with one folder per class")
	}
	root, err := filepath.Abs(c.Root)
	if err != nil {
		return nil, err
	}
	switch info, err := os.Stat(root); {
	case err != nil:
		return nil, fmt.Errorf("dataset: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("dataset: %s is a file: give the folder with one folder per class", root)
	}
	return &Source{Config{Root: root}}, nil
}

// URI is file:// and the absolute path of the folder.
func (s *Source) URI() string { return s.config.uri() }

// Examples lists the files. The label is the first element of the key, the
// path below the root. Memory holds the names of one folder at each depth. A
// folder that cannot be listed ends the sequence with an error.
func (s *Source) Examples(ctx context.Context) iter.Seq2[datasets.Example, error] {
	return func(yield func(datasets.Example, error) bool) {
		root, err := os.OpenRoot(s.config.Root)
		if err != nil {
			yield(datasets.Example{}, storeError(err))
			return
		}
		defer root.Close()
		w := walk{source: s, ctx: ctx, root: root, yield: yield}
		if err := w.folder("."); err != nil && !errors.Is(err, errStopped) {
			yield(datasets.Example{}, err)
		}
	}
}

// errStopped ends a walk whose consumer wants no more.
var errStopped = errors.New("stopped")

// walk is one listing.
type walk struct {
	source *Source
	ctx    context.Context
	root   *os.Root
	yield  func(datasets.Example, error) bool
}

// folder lists a folder and those below it, in the order of the keys.
func (w *walk) folder(dir string) error {
	entries, err := w.read(dir)
	if err != nil {
		return err
	}
	if len(entries) == 0 && dir != "." && !strings.Contains(dir, "/") {
		return w.refuse(dir+"/", errEmptyClass)
	}
	for _, e := range entries {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.entry(path.Join(dir, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

// read returns what is in a folder, less what is skipped.
func (w *walk) read(dir string) ([]fs.DirEntry, error) {
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := readDir(w.root, filepath.FromSlash(dir))
	if err != nil {
		return nil, storeError(fmt.Errorf("dataset folder %s: %w", filepath.Join(w.source.config.Root, dir), err))
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return skipped(e.Name()) })
	// Keys below a folder go on with a slash, which sorts after some bytes
	// that names have: "a-b/x" stands before "a/x".
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(sortName(a), sortName(b)) })
	return entries, nil
}

// readDir does not go through root.FS, which knows no names but UTF-8.
func readDir(root *os.Root, dir string) ([]fs.DirEntry, error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}

func sortName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

func (w *walk) entry(key string, e fs.DirEntry) error {
	switch kind := e.Type(); {
	case kind.IsDir():
		return w.folder(key)
	case kind.IsRegular():
		return w.emit(key, w.source.open(key))
	case kind&fs.ModeSymlink != 0:
		return w.link(key)
	default:
		return w.refuse(key, special(kind))
	}
}

// link lists a symbolic link by what it leads to.
func (w *walk) link(key string) error {
	info, err := w.root.Stat(filepath.FromSlash(key))
	switch {
	case err != nil:
		return w.refuse(key, linkError(err))
	case info.IsDir():
		return w.refuse(key, errors.New("it is a symbolic link to a folder: move the folder here, or copy it"))
	case !info.Mode().IsRegular():
		return w.refuse(key, special(info.Mode().Type()))
	}
	return w.emit(key, w.source.open(key))
}

// refuse lists an example that cannot be opened, with the reason.
func (w *walk) refuse(key string, why error) error {
	return w.emit(key, func(context.Context) (io.ReadCloser, error) {
		return nil, fmt.Errorf("%w: %w", datasets.ErrRefused, why)
	})
}

func (w *walk) emit(key string, open func(context.Context) (io.ReadCloser, error)) error {
	label, _, within := strings.Cut(key, "/")
	if !within {
		label = ""
	}
	if !w.yield(datasets.Example{Key: key, Label: label, Open: open}, nil) {
		return errStopped
	}
	return nil
}

// errEmptyClass is what opening a class folder without files gives: a class
// that somebody made and did not fill must not vanish without a word.
var errEmptyClass = errors.New("the class folder has no files")

func special(mode fs.FileMode) error {
	what := "a special file"
	switch {
	case mode&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	}
	return fmt.Errorf("it is %s and not a file", what)
}

func linkError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("it is a symbolic link to nothing")
	}
	return fmt.Errorf("it is a symbolic link that leaves the dataset or cannot be followed: copy the file here: %w", err)
}

// open opens a file below the root, whatever has become of it since it was
// listed: os.OpenInRoot does not leave the root.
func (s *Source) open(key string) func(context.Context) (io.ReadCloser, error) {
	return func(ctx context.Context) (io.ReadCloser, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		root, err := os.OpenRoot(s.config.Root)
		if err != nil {
			return nil, storeError(err)
		}
		defer root.Close()
		// Without O_NONBLOCK, opening a named pipe waits for its writer.
		f, err := root.OpenFile(filepath.FromSlash(key), os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, storeError(err)
		}
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			if info.IsDir() {
				err = fmt.Errorf("%w: it is a folder and not a file", datasets.ErrRefused)
			} else {
				err = fmt.Errorf("%w: %w", datasets.ErrRefused, special(info.Mode().Type()))
			}
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		return &file{ctx, f}, nil
	}
}

// file is an open file whose reads end when the context does.
type file struct {
	ctx context.Context
	f   *os.File
}

func (f *file) Read(b []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.f.Read(b)
}

func (f *file) Close() error { return f.f.Close() }

// storeError marks what says nothing about the one file.
func storeError(err error) error {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM) {
		return fmt.Errorf("%w: %w: raise the limit on open files (ulimit -n) or read with fewer workers", datasets.ErrUnavailable, err)
	}
	return err
}

// skipped says which names are not meant as images by anybody.
func skipped(name string) bool {
	if strings.HasPrefix(name, ".") {
		return true
	}
	switch strings.ToLower(name) {
	case "__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "lost+found":
		return true
	}
	return false
}
