package network

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A mapping is a mapped file, shared by the networks made from it and unmapped
// when the last of them is closed.
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

// Open maps the file at path, written by [Network.Encode], and parses a network
// from it. Pages are read on use, so opening is cheap. The file must not change
// while it is mapped. Open checks the form, not the content: callers that know
// the digest compare it with the file's SHA-256.
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

// Close unmaps the mapped files, if any. The weights' bytes are invalid
// afterwards. It may be called again.
func (n *Network) Close() error {
	var errs []error
	for _, m := range n.mapped {
		errs = append(errs, m.release())
	}
	n.mapped = nil
	return errors.Join(errs...)
}

// releasePages tells the kernel that the mapped pages of b are not needed soon.
// They are read from the file again on use.
func (n *Network) releasePages(b []byte) {
	for _, m := range n.mapped {
		m.releasePages(b)
	}
}

func (m *mapping) releasePages(b []byte) {
	start := int(uintptr(unsafe.Pointer(unsafe.SliceData(b))) - uintptr(unsafe.Pointer(unsafe.SliceData(m.data))))
	if start < 0 || start >= len(m.data) {
		return
	}
	page := os.Getpagesize()
	first := (start + page - 1) / page * page
	last := (start + len(b)) / page * page
	if first < last {
		unix.Madvise(m.data[first:last], unix.MADV_DONTNEED) // only advice: failure costs nothing but memory
	}
}
