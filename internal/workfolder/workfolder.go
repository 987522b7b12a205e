// Package workfolder makes temporary folders for single runs. A run removes its
// folder at its end. The folder of a killed run is removed by the next run or
// by Tidy.
package workfolder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Folder exists until it is closed or its process has ended.
type Folder struct {
	Path string
	lock *os.File // released by the kernel, however the process ends
}

// New makes a private folder in parent whose name begins with prefix, and
// removes folders of this prefix left by dead runs.
func New(parent, prefix string) (*Folder, error) {
	if _, err := Tidy(parent, prefix, false); err != nil {
		return nil, err
	}
	for {
		path, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			return nil, err
		}
		f, err := claim(path)
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(path))
		}
		if f != nil {
			return f, nil
		}
	}
}

// claim locks a folder. It returns nil if a concurrent Tidy removed the folder.
func claim(path string) (*Folder, error) {
	lock, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = flock(lock, unix.LOCK_EX)
	if unsupported(err) {
		return &Folder{path, lock}, nil // nobody else can lock it there either
	}
	if err != nil {
		return nil, errors.Join(&os.PathError{Op: "flock", Path: path, Err: err}, lock.Close())
	}
	locked, err := lock.Stat()
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if found, err := os.Stat(path); err != nil || !os.SameFile(found, locked) {
		return nil, lock.Close()
	}
	return &Folder{path, lock}, nil
}

// Close removes the folder.
func (f *Folder) Close() error { return errors.Join(os.RemoveAll(f.Path), f.lock.Close()) }

// Left counts the folders left by dead runs.
type Left struct {
	Folders int
	Bytes   int64
}

// Tidy removes the folders of a prefix that belong to no live run, or with dry
// only counts them. Folders of other accounts stay.
func Tidy(parent, prefix string, dry bool) (Left, error) {
	var left Left
	entries, err := os.ReadDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return left, nil
	}
	if err != nil {
		return left, err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		bytes, err := remove(filepath.Join(parent, e.Name()), dry)
		if err != nil {
			return left, fmt.Errorf("removing the folder of an ended run: %w", err)
		}
		if bytes >= 0 {
			left.Folders++
			left.Bytes += bytes
		}
	}
	return left, nil
}

// remove removes a folder unless it is in use. It returns the folder's size, -1
// if the folder stays.
func remove(path string, dry bool) (bytes int64, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return -1, err
	}
	if s, ok := info.Sys().(*syscall.Stat_t); !ok || s.Uid != uint32(os.Geteuid()) {
		return -1, nil
	}
	if flock(f, unix.LOCK_EX|unix.LOCK_NB) != nil {
		return -1, nil
	}
	bytes = size(path)
	if dry {
		return bytes, nil
	}
	return bytes, os.RemoveAll(path)
}

// size returns the size of the files in a folder, as far as they are readable.
func size(path string) (bytes int64) {
	filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		if info, err := e.Info(); err == nil {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}

func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// unsupported reports whether a file system does not support locks.
func unsupported(err error) bool {
	return errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EBADF)
}
