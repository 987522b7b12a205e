package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// local is the local file system.
type local struct{}

// batch is the number of names that are read from a folder at a time.
const batch = 1024

func (local) List(_ context.Context, folder string, see func(Entry) error) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		entries, err := f.ReadDir(batch)
		for _, e := range entries {
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				err = see(entryOf(info))
			}
			if err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (local) Stat(_ context.Context, path string) (Entry, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Entry{}, err
	}
	return entryOf(info), nil
}

func entryOf(info fs.FileInfo) Entry {
	return Entry{Name: info.Name(), Folder: info.IsDir(), File: info.Mode().IsRegular(), Stamp: stampOf(info)}
}

func stampOf(info fs.FileInfo) Stamp {
	s := info.Sys().(*syscall.Stat_t)
	return Stamp{Size: info.Size(), Modified: s.Mtim.Nano(), Changed: s.Ctim.Nano(), Inode: s.Ino}
}

func (local) Read(_ context.Context, path string, seen Stamp, most int64) (now Stamp, content []byte, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		err = fmt.Errorf("%s: %w", path, ErrNoFile)
	}
	if err != nil {
		return now, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return now, nil, err
	}
	if !info.Mode().IsRegular() {
		return now, nil, fmt.Errorf("%s: %w", path, ErrNoFile)
	}
	if now = stampOf(info); now != seen {
		return now, nil, nil
	}
	if now.Size > most {
		return now, nil, TooLarge(path, now.Size, most)
	}
	content = make([]byte, now.Size)
	if _, err := io.ReadFull(f, content); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return now, nil, err
	}
	if info, err = f.Stat(); err != nil {
		return now, nil, err
	}
	return stampOf(info), content, nil
}

func (local) Rename(_ context.Context, from, to string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func (local) Remove(_ context.Context, path string) error     { return os.Remove(path) }
func (local) MakeFolder(_ context.Context, path string) error { return os.MkdirAll(path, 0o700) }

func (local) MakeArchive(_ context.Context, archive, folder string) error {
	if err := os.MkdirAll(archive, 0o700); err != nil {
		return err
	}
	a, err := os.Stat(archive)
	if err != nil {
		return err
	}
	f, err := os.Stat(folder)
	if err != nil {
		return err
	}
	if a.Sys().(*syscall.Stat_t).Dev != f.Sys().(*syscall.Stat_t).Dev {
		return fmt.Errorf("the archive %s is on another file system than %s: archive on the same one", archive, folder)
	}
	return nil
}
