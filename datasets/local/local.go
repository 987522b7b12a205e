// Package local is the tree of files below a folder of this machine.
//
// The folder is opened once. Everything is read below the open folder, and the
// tree's URI is where that folder lay when it was opened: what takes the
// folder's place, or that of a folder above it, is not read.
//
// A symbolic link to a file is followed if it stays below the root, and
// refused by name if it leaves it, even where the links or the file change
// while they are read. An absolute link counts as leaving. Links to folders
// are refused by name, since they make loops and count images twice. Named
// pipes, sockets and devices are refused by name without being opened.
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
	config Config // whose root is where the open folder lies
	root   *os.Root
	only   string // the one file that may be read; see Only
}

var _ files.Tree = (*Tree)(nil)

// New opens the tree of a folder, which must exist. The caller closes it.
func New(c Config) (*Tree, error) {
	if c.Root == "" {
		return nil, errNoRoot
	}
	// With O_DIRECTORY, opening a named pipe fails and does not wait.
	folder, err := os.OpenFile(c.Root, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		if info, found := os.Stat(c.Root); found == nil && !info.IsDir() {
			err = fmt.Errorf("%s: %w", c.Root, files.ErrIsFile)
		}
		return nil, storeError(fmt.Errorf("dataset: %w", err))
	}
	defer folder.Close()
	// This name leads to the open folder, whatever its path leads to by now.
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

// whereabouts is the path of an open folder, of which no element is a link.
func whereabouts(folder *os.File, handle string) (string, error) {
	path, err := os.Readlink(handle)
	if err != nil {
		return "", fmt.Errorf("the system does not tell where the folder lies: %w", err)
	}
	// A folder that was removed has another path, which leads nowhere.
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

// Only narrows the tree to one file in its root, which must not be a link: it
// is for who may read that file and perhaps none beside it. It is called before
// anything else.
func (t *Tree) Only(file string) { t.only = file }

// URI is file:// and the absolute path of the folder.
func (t *Tree) URI() string { return t.config.uri() }

// Close closes the folder.
func (t *Tree) Close() error { return t.root.Close() }

// Stat says what a path is, and of a symbolic link what it leads to.
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

// List lists a folder. Its names are held in memory meanwhile, packed.
func (t *Tree) List(ctx context.Context, dir string) iter.Seq2[files.Info, error] {
	return func(yield func(files.Info, error) bool) {
		if err := t.list(ctx, dir, yield); err != nil && !errors.Is(err, errStopped) {
			yield(files.Info{}, err)
		}
	}
}

// errStopped ends a listing whose consumer wants no more.
var errStopped = errors.New("stopped")

func (t *Tree) list(ctx context.Context, dir string, yield func(files.Info, error) bool) error {
	if err := t.check(ctx, dir); err != nil {
		return err
	}
	names, err := readNames(ctx, t.root, dir)
	if err != nil {
		return storeError(fmt.Errorf("dataset folder %s: %w", filepath.Join(t.config.Root, dir), err))
	}
	// Below a root of their own, names cost one system call and not one for
	// every folder above them. Links may lead out of the folder and stay
	// below the root: those are looked at from there.
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

// Open opens a file, whatever has become of it since it was listed: a root of
// package os is not left.
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
		// The file is what stands under the name itself, and no link's target.
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

var errNoLink = errors.New("it is a symbolic link, or was replaced: name the file itself")

// check says whether a call about a path may go on.
func (t *Tree) check(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := files.CheckPath(path); err != nil {
		return err
	}
	if t.only != "" && path != t.only {
		return refuse(fmt.Errorf("the dataset is the file %s alone, and not %q", t.only, path))
	}
	if path != "" {
		return nil
	}
	return t.removed()
}

// removed is the error of a folder that was removed: while it is open it only
// seems to be empty. Some file systems count no links of any folder.
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

// native is a path of the tree for package os.
func native(path string) string {
	if path == "" {
		return "."
	}
	return filepath.FromSlash(path)
}

// pathError tells a path that leaves the root, through a link, from others.
func pathError(root *os.Root, err error) error {
	if _, leaving := root.Lstat(".."); errors.Is(err, errors.Unwrap(leaving)) {
		return refuse(linkError(err))
	}
	return storeError(err)
}

// storeError marks what says nothing about the one file.
func storeError(err error) error {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM) {
		return fmt.Errorf("%w: %w: raise the limit on open files (ulimit -n) or read with fewer workers", datasets.ErrUnavailable, err)
	}
	return err
}
