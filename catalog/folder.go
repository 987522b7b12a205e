package catalog

import "tkit/internal/home"

// ErrNoHome is wrapped where a folder is no home.
var ErrNoHome = home.ErrNone

// CheckFolder refuses a home that somebody else could write to. A folder that is
// no home yet is checked by the folders above it.
func CheckFolder(folder string) error { return home.Check(folder) }

// Exists returns an error that wraps ErrNoHome unless the folder is a home, or the
// remains of one.
func Exists(folder string) error { return home.Exists(folder) }
