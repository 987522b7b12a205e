//go:build !linux

// Package shared is memory that tkit and the process of a plugin both see. Here
// there is none, and data go by gRPC.
package shared

import (
	"errors"
	"os"
)

// Area is one such memory.
type Area struct{}

// New fails.
func New() (*Area, error) { return nil, errors.ErrUnsupported }

// Attach fails.
func Attach(fd uintptr) (*Area, error) { return nil, errors.ErrUnsupported }

// File is nil.
func (*Area) File() *os.File { return nil }

// Reserve fails.
func (*Area) Reserve(size int) error { return errors.ErrUnsupported }

// Reserved is nothing.
func (*Area) Reserved() int64 { return 0 }

// Bytes fails.
func (*Area) Bytes(offset, length uint64) ([]byte, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (*Area) Close() error { return nil }
