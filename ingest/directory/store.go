package directory

import (
	"context"
	"errors"
)

// A Store is where a folder is: the local file system or, for example, HDFS. Paths are
// absolute. What does not exist is an error that is fs.ErrNotExist.
type Store interface {
	// List calls see for everything in a folder, until it returns an error.
	List(ctx context.Context, folder string, see func(Entry) error) error
	Stat(ctx context.Context, path string) (Entry, error)
	// Read returns the content of a file whose stamp was seen, and its stamp after the
	// reading. If the stamp differs already before, there is no content. It returns
	// ErrNoFile, ErrTooLarge if the file has more than the most bytes, ErrOpen and
	// ErrRefused.
	Read(ctx context.Context, path string, seen Stamp, most int64) (now Stamp, content []byte, err error)
	// Rename fails with fs.ErrExist if the new name exists.
	Rename(ctx context.Context, from, to string) error
	Remove(ctx context.Context, path string) error
	MakeFolder(ctx context.Context, path string) error
	// MakeArchive makes the folder of an archive, into which files of another folder
	// can be renamed.
	MakeArchive(ctx context.Context, archive, folder string) error
}

// Errors of Store.Read.
var (
	ErrNoFile   = errors.New("it is no regular file")
	ErrTooLarge = errors.New("the file is too large")
	ErrOpen     = errors.New("the file is still being written")
	ErrRefused  = errors.New("the file cannot be read")
)

// An Entry is something in a folder.
type Entry struct {
	Name   string
	Folder bool
	File   bool // a regular one
	Stamp  Stamp
}

// A Stamp identifies a state of a file: two states that differ in content differ in
// their stamps.
type Stamp struct {
	Size              int64
	Modified, Changed int64 // in nanoseconds since 1970; a rename may change the latter
	Inode             uint64
}

// moved returns the stamp without what a rename changes.
func (s Stamp) moved() Stamp {
	s.Changed = 0
	return s
}
