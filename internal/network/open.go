package network

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A mapping is a file in memory, shared by the networks made from it and
// unmapped when the last of them is closed.
type mapping struct {
	data []byte
	refs atomic.Int64
}

func (m *mapping) retain() *mapping {
	m.refs.Add(1)
	return m
}

func (m *mapping) release() error {
	if m.refs.Add(-1) > 0 {
		return nil
	}
	return unix.Munmap(m.data)
}

// Open maps the file at path, which [Network.Encode] wrote, and reads a network
// from it. Pages come in as they are used, so opening costs little; the file
// must not change while it is mapped. Open checks the form, not the content:
// callers that know the digest compare it with the SHA-256 of the file.
//
// Close the result, and each network derived from it.
func Open(path string) (*Network, error) {
	n, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("open network %s: %w", path, err)
	}
	return n, nil
}

func open(path string) (*Network, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // a mapping outlives its descriptor
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() < int64(preamble) {
		return nil, fmt.Errorf("%w: not a regular file of at least %d bytes", ErrFormat, preamble)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", info.Size(), err)
	}
	m := &mapping{data: data}
	m.refs.Store(1)
	n, err := Decode(data)
	if err != nil {
		m.release()
		return nil, err
	}
	n.mapped = []*mapping{m}
	return n, nil
}

// Close lets go of the mapped files, if there are any; the weights' bytes are
// invalid afterwards. It may be called again.
func (n *Network) Close() error {
	var errs []error
	for _, m := range n.mapped {
		errs = append(errs, m.release())
	}
	n.mapped = nil
	return errors.Join(errs...)
}

// letGo tells the kernel that the pages of b, if a file is mapped there, are
// not needed soon. They come back from the file when they are read again.
func (n *Network) letGo(b []byte) {
	for _, m := range n.mapped {
		m.letGo(b)
	}
}

func (m *mapping) letGo(b []byte) {
	start := int(uintptr(unsafe.Pointer(unsafe.SliceData(b))) - uintptr(unsafe.Pointer(unsafe.SliceData(m.data))))
	if start < 0 || start >= len(m.data) {
		return
	}
	page := os.Getpagesize()
	first := (start + page - 1) / page * page
	last := (start + len(b)) / page * page
	if first < last {
		unix.Madvise(m.data[first:last], unix.MADV_DONTNEED) // only advice: its failure costs nothing but memory
	}
}
