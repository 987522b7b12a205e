// Package webhdfs is the tree of files below a folder of an HDFS that is read
// over HTTP.
package webhdfs

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
	"tkit/internal/hdfs/webhdfs"
)

// Tree is the files below a folder.
type Tree struct {
	config Config
	client *webhdfs.Client
}

var _ files.Tree = (*Tree)(nil)

// New returns the tree of a folder, which must exist.
func New(ctx context.Context, c Config) (*Tree, error) {
	client, err := webhdfs.Open(ctx, c.Client)
	if err != nil {
		return nil, translate(fmt.Errorf("dataset %s: %w", c.uri(), err))
	}
	t := &Tree{c, client}
	info, err := t.Stat(ctx, "")
	if err == nil && !info.Directory {
		err = errors.New("it is a file: give the folder that it is in")
	}
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("dataset %s: %w", c.uri(), err)
	}
	return t, nil
}

// URI names the folder.
func (t *Tree) URI() string { return t.config.uri() }

// User is whom HDFS lets read or not.
func (t *Tree) User() string { return t.client.User() }

// Close ends the connections that wait for use.
func (t *Tree) Close() error { return t.client.Close() }

// Stat says what a path is. That a file is open for write is told by Open.
func (t *Tree) Stat(ctx context.Context, path string) (files.Info, error) {
	absolute, err := t.absolute(path)
	if err != nil {
		return files.Info{}, err
	}
	info, err := t.client.Stat(ctx, absolute)
	if err != nil {
		return files.Info{}, translate(err)
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
				yield(files.Info{}, translate(err))
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
		return nil, translate(err)
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
	return translate(err)
}

// absolute is a path of the tree in HDFS.
func (t *Tree) absolute(path string) (string, error) {
	if err := files.CheckPath(path); err != nil {
		return "", err
	}
	return gopath.Join(t.config.Root, path), nil
}

func describe(path string, i hdfs.Info) files.Info {
	info := files.Info{Path: path, Size: i.Size, Directory: i.Directory, Modified: i.Modified, Refused: translate(i.Refused)}
	if i.ID != 0 {
		// Without the file's number, as from old HttpFS servers, another file
		// of the same size and time would pass for this one.
		info.Identity = i.Identity()
	}
	return info
}

// reader gives the errors of a file the names that package datasets has.
type reader struct{ *webhdfs.Reader }

func (r reader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	return n, translate(err)
}

// translate gives the errors of HDFS the names that package datasets has for
// them.
func translate(err error) error {
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
