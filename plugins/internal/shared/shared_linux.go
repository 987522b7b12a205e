// Package shared provides memory shared by tkit and a plugin's process: an
// unnamed file (memfd) that the process inherits, so that nothing remains when
// both have ended.
package shared

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Area is one such memory, mapped. Its methods are safe for concurrent use;
// callers must synchronise access to the bytes.
type Area struct {
	file *os.File

	mu       sync.Mutex
	data     []byte
	reserved int
}

// New makes an empty area. It can grow but never shrink, so that no access to
// mapped memory can fault.
func New() (*Area, error) {
	fd, err := unix.MemfdCreate("tkit-plugin-memory", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // a kernel before 6.3
		fd, err = unix.MemfdCreate("tkit-plugin-memory", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	a := &Area{file: os.NewFile(uintptr(fd), "shared memory")}
	if _, err := unix.FcntlInt(a.file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL); err != nil {
		return nil, errors.Join(fmt.Errorf("shared memory: %w", err), a.Close())
	}
	return a, nil
}

// Attach opens an area that another process made and this one inherited.
func Attach(fd uintptr) (*Area, error) {
	seals, err := unix.FcntlInt(fd, unix.F_GET_SEALS, 0)
	if err != nil {
		return nil, fmt.Errorf("shared memory: descriptor %d: %w", fd, err)
	}
	if seals&unix.F_SEAL_SHRINK == 0 {
		return nil, fmt.Errorf("shared memory: descriptor %d may shrink", fd)
	}
	unix.CloseOnExec(int(fd))
	return &Area{file: os.NewFile(fd, "shared memory")}, nil
}

// File returns the file for the process that inherits the area.
func (a *Area) File() *os.File { return a.file }

// Reserve makes the area at least size bytes long. It invalidates earlier
// results of Bytes.
func (a *Area) Reserve(size int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reserved = max(a.reserved, size)
	if size <= len(a.data) {
		return nil
	}
	info, err := a.file.Stat()
	if err == nil && info.Size() < int64(size) { // the other side may have enlarged it
		err = a.file.Truncate(int64(size))
	}
	if err != nil {
		return fmt.Errorf("shared memory of %d bytes: %w", size, err)
	}
	return a.remap(size)
}

// Reserved returns the size that this side has requested; the other may have
// enlarged it.
func (a *Area) Reserved() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return int64(a.reserved)
}

// Bytes returns a part of the area, valid until the area grows or is closed.
func (a *Area) Bytes(offset, length uint64) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	end := offset + length
	if end < offset {
		return nil, fmt.Errorf("shared memory: %d bytes at %d", length, offset)
	}
	if end > uint64(len(a.data)) { // the other side may have enlarged it
		info, err := a.file.Stat()
		if err != nil {
			return nil, err
		}
		if end > uint64(info.Size()) {
			return nil, fmt.Errorf("shared memory: %d bytes at %d of %d", length, offset, info.Size())
		}
		if err := a.remap(int(info.Size())); err != nil {
			return nil, err
		}
	}
	return a.data[offset:end:end], nil
}

func (a *Area) remap(size int) error {
	data, err := unix.Mmap(int(a.file.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map %d bytes of shared memory: %w", size, err)
	}
	old := a.data
	a.data = data
	if old == nil {
		return nil
	}
	return unix.Munmap(old)
}

// Close frees the memory and invalidates the results of Bytes.
func (a *Area) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var unmapped error
	if a.data != nil {
		unmapped = unix.Munmap(a.data)
		a.data = nil
	}
	return errors.Join(unmapped, a.file.Close())
}
