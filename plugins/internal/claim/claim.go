// Package claim distinguishes folders in use by a process from those of killed
// processes: a claim ends with the process, however it ends.
package claim

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Take claims a folder until the returned file is closed. It returns an error
// if the folder is already claimed, even by this process.
func Take(folder string) (*os.File, error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("claim %s: %w", folder, err), f.Close())
	}
	return f, nil
}

// Abandoned reports whether a folder is unclaimed. A new folder may not be
// claimed yet: the caller must exclude that case.
func Abandoned(folder string) bool {
	f, err := Take(folder)
	if err != nil {
		return false
	}
	f.Close()
	return true
}
