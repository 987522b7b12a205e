// Package files defines what all stores have in common: a tree of files (Tree).
// Each store is a sibling package with a Tree; the formats, datasets/folder,
// datasets/manifest and so on, interpret the files of any of them as images and
// labels.
//
// The errors of a Tree are those of package datasets, for errors.Is:
// datasets.ErrUnavailable, datasets.ErrRefused and datasets.ErrChanged, besides
// fs.ErrNotExist and fs.ErrPermission.
package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strings"
	"time"

	"tkit/datasets"
)

// Tree is a read-only tree of files. filestest.Run tests the contract of every
// implementation.
//
// Paths are relative to the tree's root, with elements separated by slashes; ""
// is the root itself. Every method refuses a path that CheckPath rejects. Names
// are used literally: nothing is unescaped, and hidden names are listed like
// others.
//
// A Tree is safe for concurrent use. An error about one file or directory is or
// wraps a *fs.PathError, and errors.Is tells whether it is missing
// (fs.ErrNotExist), not permitted (fs.ErrPermission) or refused by tkit
// (datasets.ErrRefused). An error about the whole store, such as an unreachable
// server, wraps datasets.ErrUnavailable. errors.Is finds the context's error,
// too.
type Tree interface {
	// URI returns the root in a form that datasets/all can open again.
	URI() string
	// Stat returns the status of a path. A file that exists but must not be
	// read has Info.Refused and no error.
	Stat(ctx context.Context, path string) (Info, error)
	// List yields the entries of one directory, in ascending byte order of the
	// keys below it: a directory's name is compared as if it ended in a slash,
	// because "a-b/x" precedes "a/x" (KeyOrder converts a listing by name). It
	// streams: memory does not grow with the number of files beyond their
	// names. An error is yielded once, as the last element, and means that the
	// list is incomplete.
	List(ctx context.Context, dir string) iter.Seq2[Info, error]
	// Open reads a file from an offset to its end; an offset at or after the
	// end reads nothing. Reading returns io.EOF only after the last byte of the
	// size that the file had when it was opened. Anything else is an error:
	// io.ErrUnexpectedEOF, or datasets.ErrChanged if the store reports that the
	// file was replaced. Reading fails when ctx ends. A file that must not be
	// read is refused here too, whatever it was when it was listed. The caller
	// closes the result.
	Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error)
	// Close releases the tree's resources, such as connections. No other method
	// may be called after it.
	Close() error
}

// ErrIsFile is the error of opening a tree at a file.
var ErrIsFile = errors.New("it is a file: give the folder that it is in")

// Info is the status of a file or directory.
type Info struct {
	Path      string // relative to the root of the tree
	Size      int64  // in bytes; 0 for a directory
	Directory bool
	Modified  time.Time
	// Identity identifies the content while it is unchanged: equal identities
	// of one path mean equal bytes. It consists, for example, of an inode or
	// file number, the size and the time, and is "" if the store cannot detect
	// changes.
	Identity string
	// Refused says why this must not be read, and wraps datasets.ErrRefused: a
	// link that leaves the tree, a named pipe, a file in an encryption zone,
	// one with erasure coding, one open for write.
	Refused error
}

// Name returns the last element of the path.
func (i Info) Name() string { return i.Path[strings.LastIndexByte(i.Path, '/')+1:] }

// SortKey returns the key by which List orders: the path, with a slash appended
// for a directory.
func (i Info) SortKey() string {
	if i.Directory {
		return i.Path + "/"
	}
	return i.Path
}

// CheckPath returns an error for a path that is not below the root of a tree or
// not in canonical form. The error wraps datasets.ErrRefused and contains the
// path.
func CheckPath(path string) error {
	if path == "" {
		return nil
	}
	refuse := func(why string) error {
		return fmt.Errorf("%w: the path %q %s", datasets.ErrRefused, path, why)
	}
	if strings.ContainsRune(path, 0) {
		return refuse("has a zero byte")
	}
	if path[0] == '/' {
		return refuse("is absolute: write it relative to the dataset")
	}
	for element := range strings.SplitSeq(path, "/") {
		switch element {
		case "..":
			return refuse("has the element ..: it may leave the dataset")
		case ".", "":
			return refuse("has an element that is empty or a dot")
		}
	}
	return nil
}

// URI returns a path of a tree, with options, in a form that datasets/all can
// open again.
func URI(tree Tree, path string, options url.Values) string {
	uri := tree.URI()
	if path != "" {
		uri = strings.TrimSuffix(uri, "/") + (&url.URL{Path: "/" + path}).EscapedPath()
	}
	if len(options) > 0 {
		uri += "?" + options.Encode()
	}
	return uri
}

// User returns the identity used to read a tree, as datasets.User.
func User(tree Tree) string {
	if u, ok := tree.(interface{ User() string }); ok {
		return u.User()
	}
	return ""
}

// MayRead asks a tree's store whether the tree's user may currently read each
// of some files. The error names the first one denied: an *fs.PathError with
// fs.ErrPermission. If the store cannot be asked, the files are opened and
// closed.
func MayRead(ctx context.Context, tree Tree, paths iter.Seq[string]) error {
	asked, ok := tree.(interface {
		MayRead(ctx context.Context, user string, paths iter.Seq[string]) error
	})
	if ok {
		return asked.MayRead(ctx, User(tree), paths)
	}
	for path := range paths {
		r, err := tree.Open(ctx, path, 0)
		if err == nil {
			err = r.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Join appends a name to a directory of a tree.
func Join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
