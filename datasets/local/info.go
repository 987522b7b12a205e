package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"tkit/datasets"
	"tkit/datasets/files"
)

// settled is how long a file must have been unchanged before its times
// distinguish contents: a write may keep the time of the previous one, because
// file systems have a granularity of up to seconds.
const settled = 2 * time.Second

// describe returns the status of a path of the root. A link has the status of
// its target.
func describe(root *os.Root, native, path string, found fs.FileInfo) (files.Info, error) {
	info := files.Info{Path: path}
	if found.Mode()&fs.ModeSymlink != 0 {
		target, err := root.Stat(native)
		switch {
		case err != nil && errors.Is(storeError(err), datasets.ErrUnavailable):
			return files.Info{}, storeError(err)
		case err != nil:
			info.Refused = refuse(linkError(err))
			return info, nil
		case target.IsDir():
			info.Refused = refuse(errors.New("it is a symbolic link to a folder: move the folder here, or copy it"))
			return info, nil
		}
		found = target
	}
	info.Modified = found.ModTime()
	switch {
	case found.IsDir():
		info.Directory = true
	case !found.Mode().IsRegular():
		info.Refused = refuse(special(found.Mode().Type()))
	default:
		info.Size, info.Identity = found.Size(), identity(found)
	}
	return info, nil
}

// identity consists of the inode, the size and both times: the time of change
// cannot be set back, and some file systems only keep the time of modification.
func identity(info fs.FileInfo) string {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok || time.Since(info.ModTime()) < settled {
		return ""
	}
	return fmt.Sprintf("%d:%d:%d:%d.%09d:%d.%09d", s.Dev, s.Ino, s.Size, s.Mtim.Sec, s.Mtim.Nsec, s.Ctim.Sec, s.Ctim.Nsec)
}

func refuse(why error) error { return fmt.Errorf("%w: %w", datasets.ErrRefused, why) }

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
	return fmt.Errorf("it is %s, not a file", what)
}

func linkError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("it is a symbolic link to nothing")
	}
	return fmt.Errorf("it is a symbolic link that leaves the dataset or cannot be followed: copy the file here: %w", err)
}
