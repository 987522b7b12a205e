// Package local is the tree of files below a folder of this machine.
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

// Tree is the files below a folder. It holds nothing open between calls.
type Tree struct{ config Config }

var _ files.Tree = (*Tree)(nil)

// New returns the tree of a folder, which must exist.
func New(c Config) (*Tree, error) {
	if c.Root == "" {
		return nil, errNoRoot
	}
	root, err := filepath.Abs(c.Root)
	if err != nil {
		return nil, err
	}
	switch info, err := os.Stat(root); {
	case err != nil:
		return nil, fmt.Errorf("dataset: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("dataset: %s is a file: give the folder that it is in", root)
	}
	return &Tree{Config{Root: root}}, nil
}

// URI is file:// and the absolute path of the folder.
func (t *Tree) URI() string { return t.config.uri() }

// Close does nothing.
func (t *Tree) Close() error { return nil }

// Stat says what a path is, and of a symbolic link what it leads to.
func (t *Tree) Stat(ctx context.Context, path string) (files.Info, error) {
	root, err := t.enter(ctx, path)
	if err != nil {
		return files.Info{}, err
	}
	defer root.Close()
	info, err := root.Lstat(native(path))
	if err != nil {
		return files.Info{}, pathError(root, err)
	}
	return describe(root, native(path), path, info)
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
	root, err := t.enter(ctx, dir)
	if err != nil {
		return err
	}
	defer root.Close()
	names, err := readNames(ctx, root, dir)
	if err != nil {
		return storeError(fmt.Errorf("dataset folder %s: %w", filepath.Join(t.config.Root, dir), err))
	}
	// Below a root of their own, names cost one system call and not one for
	// every folder above them. Links may lead out of the folder and stay
	// below the root: those are looked at from there.
	folder, err := root.OpenRoot(native(dir))
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
		info, err := describe(root, native(path), path, found)
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
	root, err := t.enter(ctx, path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// Without O_NONBLOCK, opening a named pipe waits for its writer.
	f, err := root.OpenFile(native(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, pathError(root, err)
	}
	r, err := newReader(ctx, f, path, offset)
	if err != nil {
		f.Close()
		return nil, err
	}
	return r, nil
}

// enter opens the root for a call about a path.
func (t *Tree) enter(ctx context.Context, path string) (*os.Root, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := files.CheckPath(path); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(t.config.Root)
	if err != nil {
		return nil, storeError(err)
	}
	return root, nil
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
