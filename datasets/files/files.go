// Package files is what kinds of store have in common: a tree of files to
// read (Tree). Each kind is a package beside this one with a Tree; how images
// and labels lie in the files of any of them is the work of the formats:
// datasets/folder, datasets/manifest and so on.
//
// The errors of a Tree are those of package datasets, for errors.Is:
// datasets.ErrUnavailable, datasets.ErrRefused and datasets.ErrChanged, beside
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

// Tree is a read-only tree of files. filestest.Run states in tests what every
// implementation keeps to.
//
// Paths are relative to the tree's root, their elements parted by slashes, and
// "" is the root itself. A path that CheckPath does not accept is refused by
// every method. Names are taken as they are: nothing is unescaped, and hidden
// names are listed as any other.
//
// A Tree is safe for concurrent use. An error about one file or directory is a
// *fs.PathError or wraps one, and tells by errors.Is whether it is missing
// (fs.ErrNotExist), not allowed (fs.ErrPermission) or one that tkit will not
// read (datasets.ErrRefused). An error that speaks of the whole store, such as
// a server that stays away, wraps datasets.ErrUnavailable. The context's own
// error is found by errors.Is too.
type Tree interface {
	// URI names the root in a form that datasets/all opens again.
	URI() string
	// Stat says what a path is. A file that was found but must not be read
	// has Info.Refused and no error.
	Stat(ctx context.Context, path string) (Info, error)
	// List yields what stands in one directory, in ascending byte order of
	// the keys below it: a directory's name is compared as if it ended in a
	// slash, since "a-b/x" stands before "a/x" (KeyOrder makes this of a
	// listing by name). It streams: memory does not grow with the number of
	// files beyond their names. An error is yielded once, as the last element,
	// and means that the list is incomplete.
	List(ctx context.Context, dir string) iter.Seq2[Info, error]
	// Open reads a file from an offset to its end; an offset at or behind the
	// end reads nothing. Reading ends with io.EOF only after the last byte of
	// the size that the file had when it was opened. Anything else is an
	// error: io.ErrUnexpectedEOF, or datasets.ErrChanged where the store says
	// that the file was replaced. Reading ends with an error when ctx does.
	// What must not be read is refused here too, whatever it was when it was
	// listed. The caller closes what it gets.
	Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error)
	// Close ends what the tree holds, such as connections. Nothing else may
	// be called after it.
	Close() error
}

// ErrIsFile is the error of opening a tree where there is a file and no folder.
var ErrIsFile = errors.New("it is a file: give the folder that it is in")

// Info is what a store says of a file or directory.
type Info struct {
	Path      string // relative to the root of the tree
	Size      int64  // in bytes; 0 for a directory
	Directory bool
	Modified  time.Time
	// Identity names this content in the store for as long as it is
	// unchanged: equal identities of one path mean equal bytes. It is made of
	// such as an inode or a file's number, its size and time, and is "" where
	// the store has nothing to tell a change by.
	Identity string
	// Refused says why this must not be read, and wraps
	// datasets.ErrRefused: a link that leaves the tree, a named pipe, a file
	// in an encryption zone, one under erasure coding, one open for write.
	Refused error
}

// Name is the last element of the path.
func (i Info) Name() string { return i.Path[strings.LastIndexByte(i.Path, '/')+1:] }

// SortKey is what List orders by: the path, with a slash after a directory's.
func (i Info) SortKey() string {
	if i.Directory {
		return i.Path + "/"
	}
	return i.Path
}

// CheckPath says what is wrong with a path that is not below the root of a
// tree or has more than one form. The error wraps datasets.ErrRefused and
// names the path.
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

// URI names a path of a tree, with options, in a form that datasets/all opens
// again.
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

// User is as whom a tree is read, as datasets.User has it.
func User(tree Tree) string {
	if u, ok := tree.(interface{ User() string }); ok {
		return u.User()
	}
	return ""
}

// MayRead asks a tree's store whether it lets the tree's user read every one of
// some files now, and names the first that it denies: *fs.PathError with
// fs.ErrPermission. Stores that can be asked are; files of others are opened and
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

// Join puts a name below a directory of a tree.
func Join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
