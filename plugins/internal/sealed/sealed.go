// Package sealed makes immutable executables in memory.
package sealed

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Copy returns a file in memory with the content of from, sealed against
// changes. It can be executed as /proc/self/fd/N. A process of the same user
// may write to it before it is sealed, so the caller must verify its content.
// path is for errors.
func Copy(path string, from io.Reader) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	name := filepath.Base(path)
	name = name[:min(len(name), 200)] // the kernel's limit is 249 bytes
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // a kernel before 6.3
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return nil, fmt.Errorf("executable memory (sysctl vm.memfd_noexec must not be 2): %w", err)
	}
	to := os.NewFile(uintptr(fd), path)
	if _, err := io.Copy(to, from); err != nil {
		return nil, errors.Join(err, to.Close())
	}
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(to.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, errors.Join(err, to.Close())
	}
	return to, nil
}
