package status

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The names of the locks in the folder of a pipeline's state.
const (
	RunLock    = "run"
	ReplayLock = "replay"
)

// ErrLocked is the error of a lock that another process holds.
var ErrLocked = errors.New("in progress already")

// whole is a lock of the whole file. Unlike those of flock, such locks can be looked at
// without taking them.
func whole() *unix.Flock_t { return &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart} }

// Lock takes a lock in a folder, until unlock or the end of the process. The error wraps
// ErrLocked if another process holds it.
func Lock(folder, name string) (unlock func() error, err error) {
	f, err := os.OpenFile(lockPath(folder, name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, whole()); err != nil {
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			err = ErrLocked
		}
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// isLocked reports whether a process holds a lock.
func isLocked(folder, name string) (bool, error) {
	f, err := os.Open(lockPath(folder, name))
	if err != nil {
		return false, err
	}
	defer f.Close()
	lock := whole()
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, lock); err != nil {
		return false, err
	}
	return lock.Type != unix.F_UNLCK, nil
}

func lockPath(folder, name string) string { return filepath.Join(folder, name+".lock") }
