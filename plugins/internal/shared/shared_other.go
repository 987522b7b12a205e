//go:build !linux

// Package shared provides memory shared by tkit and a plugin's process. It is
// not supported here, and data is sent by gRPC.
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

// File returns nil.
func (*Area) File() *os.File { return nil }

// Reserve fails.
func (*Area) Reserve(size int) error { return errors.ErrUnsupported }

// Reserved returns 0.
func (*Area) Reserved() int64 { return 0 }

// Bytes fails.
func (*Area) Bytes(offset, length uint64) ([]byte, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (*Area) Close() error { return nil }
