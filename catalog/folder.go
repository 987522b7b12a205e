package catalog

import "tkit/internal/home"

// ErrNoHome is wrapped by errors about a folder that is not a home.
var ErrNoHome = home.ErrNone

// CheckFolder refuses a home that others could write to. If the folder does not
// exist yet, the folders above it are checked.
func CheckFolder(folder string) error { return home.Check(folder) }

// Exists returns an error that wraps ErrNoHome unless the folder is a home, or the
// remains of one.
func Exists(folder string) error { return home.Exists(folder) }
