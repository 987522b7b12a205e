// Package local implements the tree of files below a local folder.
//
// The folder is opened once. Everything is read below the open folder, and the
// tree's URI is the folder's real path when it was opened: whatever replaces
// the folder, or a folder above it, is not read.
//
// A symbolic link to a file is followed if it stays below the root, and refused
// by name if it leaves it, even if the links or the file change while they are
// read. An absolute link counts as leaving. Links to folders are refused by
// name, because they cause loops and count images twice. Named pipes, sockets
// and devices are refused by name without being opened.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"syscall"

	"tkit/datasets"
	"tkit/datasets/files"
)

// Tree is the files below a folder.
type Tree struct {
	config Config // its root is the folder's real path
	root   *os.Root
	only   string // the only file that may be read; see Only
}

var _ files.Tree = (*Tree)(nil)

// New opens the tree of a folder, which must exist. The caller closes it.
func New(c Config) (*Tree, error) {
	if c.Root == "" {
		return nil, errNoRoot
	}
	// With O_DIRECTORY, opening a named pipe fails instead of blocking.
	folder, err := os.OpenFile(c.Root, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		if info, found := os.Stat(c.Root); found == nil && !info.IsDir() {
			err = fmt.Errorf("%s: %w", c.Root, files.ErrIsFile)
		}
		return nil, storeError(fmt.Errorf("dataset: %w", err))
	}
	defer folder.Close()
	// This name refers to the open folder, whatever its path refers to now.
	handle := fmt.Sprintf("/proc/self/fd/%d", folder.Fd())
	path, err := whereabouts(folder, handle)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", c.Root, err)
	}
	root, err := os.OpenRoot(handle)
	if err != nil {
		return nil, storeError(fmt.Errorf("dataset: %s: %w", c.Root, err))
	}
	return &Tree{config: Config{Root: path}, root: root}, nil
}

// whereabouts returns the path of an open folder, without links.
func whereabouts(folder *os.File, handle string) (string, error) {
	path, err := os.Readlink(handle)
	if err != nil {
		return "", fmt.Errorf("the system does not give the folder's path: %w", err)
	}
	// A removed folder has a different path, which does not exist.
	there, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	opened, err := folder.Stat()
	if err != nil {
		return "", err
	}
	if !os.SameFile(there, opened) {
		return "", fmt.Errorf("it was moved while it was opened: %w", fs.ErrNotExist)
	}
	return path, nil
}

// Only restricts the tree to one file in its root, which must not be a link,
// for users who may read only that file. It is called before anything else.
func (t *Tree) Only(file string) { t.only = file }

// URI returns file:// and the absolute path of the folder.
func (t *Tree) URI() string { return t.config.uri() }

// Close closes the folder.
func (t *Tree) Close() error { return t.root.Close() }

// Stat returns the status of a path, and for a symbolic link that of its
// target.
func (t *Tree) Stat(ctx context.Context, path string) (files.Info, error) {
	if err := t.check(ctx, path); err != nil {
		return files.Info{}, err
	}
	info, err := t.root.Lstat(native(path))
	if err != nil {
		return files.Info{}, pathError(t.root, err)
	}
	if t.only != "" && info.Mode()&fs.ModeSymlink != 0 {
		return files.Info{Path: path, Refused: refuse(errNoLink)}, nil
	}
	return describe(t.root, native(path), path, info)
}

// List lists a folder. Its names are held in memory, packed.
func (t *Tree) List(ctx context.Context, dir string) iter.Seq2[files.Info, error] {
	return func(yield func(files.Info, error) bool) {
		if err := t.list(ctx, dir, yield); err != nil && !errors.Is(err, errStopped) {
			yield(files.Info{}, err)
		}
	}
}

// errStopped ends a listing whose consumer stops.
var errStopped = errors.New("stopped")

func (t *Tree) list(ctx context.Context, dir string, yield func(files.Info, error) bool) error {
	if err := t.check(ctx, dir); err != nil {
		return err
	}
	names, err := readNames(ctx, t.root, dir)
	if err != nil {
		return storeError(fmt.Errorf("dataset folder %s: %w", filepath.Join(t.config.Root, dir), err))
	}
	// With a root opened at the folder, each name costs one system call instead
	// of one for every folder above it. Links may leave the folder and stay
	// below the tree's root: those are resolved from there.
	folder, err := t.root.OpenRoot(native(dir))
	if err != nil {
		return storeError(err)
	}
	defer folder.Close()
	for name := range names.sorted() {
		if err := ctx.Err(); err != nil {
			return err
		}
		path := files.Join(dir, name)
		found, err := folder.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed since the folder was read
			continue
		case err != nil:
			return storeError(err)
		}
		info, err := describe(t.root, native(path), path, found)
		if err != nil {
			return err
		}
		if !yield(info, nil) {
			return errStopped
		}
	}
	return nil
}

// Open opens a file, whatever happened to it since it was listed: os.Root
// cannot be left.
func (t *Tree) Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	if err := t.check(ctx, path); err != nil {
		return nil, err
	}
	// Without O_NONBLOCK, opening a named pipe waits for its writer.
	f, err := t.root.OpenFile(native(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, pathError(t.root, err)
	}
	r, err := t.reader(ctx, f, path, offset)
	if err != nil {
		f.Close()
		return nil, err
	}
	return r, nil
}

func (t *Tree) reader(ctx context.Context, f *os.File, path string, offset int64) (*reader, error) {
	if t.only != "" {
		// The file must be the one of this name, not a link's target.
		named, err := t.root.Lstat(native(path))
		if err != nil {
			return nil, pathError(t.root, err)
		}
		opened, err := f.Stat()
		if err != nil {
			return nil, err
		}
		if !os.SameFile(named, opened) {
			return nil, fmt.Errorf("%s: %w", path, refuse(errNoLink))
		}
	}
	return newReader(ctx, f, path, offset)
}

var errNoLink = errors.New("it is a symbolic link, or was replaced: give the file itself")

// check reports whether an operation on a path is allowed.
func (t *Tree) check(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := files.CheckPath(path); err != nil {
		return err
	}
	if t.only != "" && path != t.only {
		return refuse(fmt.Errorf("the dataset is only the file %s, not %q", t.only, path))
	}
	if path != "" {
		return nil
	}
	return t.removed()
}

// removed returns an error if the folder was removed: while it is open it only
// appears empty. Some file systems report no link count for folders.
func (t *Tree) removed() error {
	open, err := t.root.Stat(".")
	if err != nil {
		return storeError(err)
	}
	if s, ok := open.Sys().(*syscall.Stat_t); !ok || s.Nlink > 0 {
		return nil
	}
	there, err := os.Stat(t.config.Root)
	if err != nil {
		return storeError(err)
	}
	if !os.SameFile(there, open) {
		return &fs.PathError{Op: "open", Path: t.config.Root, Err: fs.ErrNotExist}
	}
	return nil
}

// native converts a path of the tree for package os.
func native(path string) string {
	if path == "" {
		return "."
	}
	return filepath.FromSlash(path)
}

// pathError identifies a path that leaves the root through a link.
func pathError(root *os.Root, err error) error {
	if _, leaving := root.Lstat(".."); errors.Is(err, errors.Unwrap(leaving)) {
		return refuse(linkError(err))
	}
	return storeError(err)
}

// storeError marks errors that do not concern a single file.
func storeError(err error) error {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM) {
		return fmt.Errorf("%w: %w: raise the limit on open files (ulimit -n) or read with fewer workers", datasets.ErrUnavailable, err)
	}
	return err
}
