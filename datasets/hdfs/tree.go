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

// Client is one of the two ways into a cluster, of which package webhdfs beside
// this one has the other. Its methods are those of hdfs.Client, in whose terms
// files and errors are described; it is safe for concurrent use.
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

// NewTree returns the tree of a folder, which must exist, in the cluster that a
// client is connected to. It closes the client when it is closed, or fails.
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

// URI names the folder.
func (t *Tree) URI() string { return t.uri }

// User is whom HDFS lets read or not.
func (t *Tree) User() string { return t.client.User() }

// Close ends the connections that wait for use.
func (t *Tree) Close() error { return t.client.Close() }

// Stat says what a path is.
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

// List lists a folder, a batch of the NameNode's at a time.
func (t *Tree) List(ctx context.Context, dir string) iter.Seq2[files.Info, error] {
	return files.KeyOrder(func(yield func(files.Info, error) bool) {
		absolute, err := t.absolute(dir)
		if err != nil {
			yield(files.Info{}, err)
			return
		}
		for info, err := range t.client.ReadDir(ctx, absolute) {
			if err == nil {
				err = ctx.Err() // between two of one batch, too
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

// Open opens a file, unless somebody writes it.
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

// MayRead asks the NameNode whether a user may read every one of some files of
// the tree, and names the first that it denies.
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

// absolute is a path of the tree in HDFS.
func (t *Tree) absolute(path string) (string, error) {
	if err := files.CheckPath(path); err != nil {
		return "", err
	}
	return gopath.Join(t.root, path), nil
}

func describe(path string, i hdfs.Info) files.Info {
	info := files.Info{Path: path, Size: i.Size, Directory: i.Directory, Modified: i.Modified, Refused: Translate(i.Refused)}
	if i.ID != 0 {
		// Without the file's number, as from old HttpFS servers, another file
		// of the same size and time would pass for this one.
		info.Identity = i.Identity()
	}
	return info
}

// reader gives the errors of a file the names that package datasets has.
type reader struct{ io.ReadCloser }

func (r reader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	return n, Translate(err)
}

// Translate gives the errors of HDFS the names that package datasets has for
// them.
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

// marked is an error that counts as another too, in its own words.
type marked struct {
	error
	as error
}

func (m marked) Unwrap() []error { return []error{m.error, m.as} }
