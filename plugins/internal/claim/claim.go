// Package claim tells folders that a process works in from those that a process
// which was killed has left behind: a claim ends with the process, however that
// ends.
package claim

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Take claims a folder until what it returns is closed. A folder that another
// process, or this one, has claimed is an error.
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

// Abandoned says whether nobody claims a folder. One that was made a moment ago
// may be about to be claimed: who asks makes sure that it is not such a one.
func Abandoned(folder string) bool {
	f, err := Take(folder)
	if err != nil {
		return false
	}
	f.Close()
	return true
}
