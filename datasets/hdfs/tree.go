package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	gopath "path"

	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/internal/hdfs"
)

// Client is a client of a cluster: the native one, or the one of the sibling
// package webhdfs. Its methods are those of hdfs.Client, with its types of
// files and errors; it is safe for concurrent use.
type Client interface {
	Stat(ctx context.Context, path string) (hdfs.Info, error)
	ReadDir(ctx context.Context, dir string) iter.Seq2[hdfs.Info, error]
	Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error)
	MayRead(ctx context.Context, user string, paths iter.Seq[string]) error
	User() string
	Close() error
}

// Tree is the files below a folder.
type Tree struct {
	uri    string
	root   string
	client Client
}

var _ files.Tree = (*Tree)(nil)

// NewTree returns the tree of a folder, which must exist, in the cluster of a
// client. It closes the client when it is closed, or on an error.
func NewTree(ctx context.Context, uri, root string, client Client) (*Tree, error) {
	t := &Tree{uri, root, client}
	info, err := t.Stat(ctx, "")
	if err == nil && !info.Directory {
		err = files.ErrIsFile
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("dataset %s: %w", uri, err), client.Close())
	}
	return t, nil
}

// URI returns the folder's URI.
func (t *Tree) URI() string { return t.uri }

// User returns the user whose permissions HDFS checks.
func (t *Tree) User() string { return t.client.User() }

// Close closes idle connections.
func (t *Tree) Close() error { return t.client.Close() }

// Stat returns the status of a path.
func (t *Tree) Stat(ctx context.Context, path string) (files.Info, error) {
	absolute, err := t.absolute(path)
	if err != nil {
		return files.Info{}, err
	}
	info, err := t.client.Stat(ctx, absolute)
	if err != nil {
		return files.Info{}, Translate(err)
	}
	return describe(path, info), nil
}

// List lists a folder, one batch of the NameNode at a time.
func (t *Tree) List(ctx context.Context, dir string) iter.Seq2[files.Info, error] {
	return files.KeyOrder(func(yield func(files.Info, error) bool) {
		absolute, err := t.absolute(dir)
		if err != nil {
			yield(files.Info{}, err)
			return
		}
		for info, err := range t.client.ReadDir(ctx, absolute) {
			if err == nil {
				err = ctx.Err() // also between two entries of a batch
			}
			if err != nil {
				yield(files.Info{}, Translate(err))
				return
			}
			if !yield(describe(files.Join(dir, info.Name), info), nil) {
				return
			}
		}
	})
}

// Open opens a file, unless it is being written.
func (t *Tree) Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	absolute, err := t.absolute(path)
	if err != nil {
		return nil, err
	}
	r, err := t.client.Open(ctx, absolute, offset)
	if err != nil {
		return nil, Translate(err)
	}
	return reader{r}, nil
}

// MayRead asks the NameNode whether a user may read each of some files of the
// tree. The error names the first one denied.
func (t *Tree) MayRead(ctx context.Context, user string, paths iter.Seq[string]) error {
	var wrong error
	err := t.client.MayRead(ctx, user, func(yield func(string) bool) {
		for path := range paths {
			absolute, err := t.absolute(path)
			if err != nil {
				wrong = err
				return
			}
			if !yield(absolute) {
				return
			}
		}
	})
	if err == nil {
		err = wrong
	}
	return Translate(err)
}

// absolute returns the HDFS path of a path of the tree.
func (t *Tree) absolute(path string) (string, error) {
	if err := files.CheckPath(path); err != nil {
		return "", err
	}
	return gopath.Join(t.root, path), nil
}

func describe(path string, i hdfs.Info) files.Info {
	info := files.Info{Path: path, Size: i.Size, Directory: i.Directory, Modified: i.Modified, Refused: Translate(i.Refused)}
	if i.ID != 0 {
		// Without the file's number, as from old HttpFS servers, a different
		// file of the same size and time could not be distinguished.
		info.Identity = i.Identity()
	}
	return info
}

// reader translates the errors of a file to those of package datasets.
type reader struct{ io.ReadCloser }

func (r reader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	return n, Translate(err)
}

// Translate translates errors of HDFS to those of package datasets.
func Translate(err error) error {
	for from, to := range map[error]error{
		hdfs.ErrUnavailable: datasets.ErrUnavailable,
		hdfs.ErrRefused:     datasets.ErrRefused,
		hdfs.ErrReplaced:    datasets.ErrChanged,
	} {
		if errors.Is(err, from) && !errors.Is(err, to) {
			return marked{err, to}
		}
	}
	return err
}

// marked is an error that also matches another one, with its own text.
type marked struct {
	error
	as error
}

func (m marked) Unwrap() []error { return []error{m.error, m.as} }
