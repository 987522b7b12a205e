// Package hdfs is a folder of HDFS as the files of a sink.
package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"tkit/datasets/hdfs"
	"tkit/ingest/sink"
	client "tkit/internal/hdfs"
)

// Files are those below a folder.
type Files struct {
	client *client.Client
	root   string
}

var _ sink.Files = (*Files)(nil)

// temporary is the folder in that of the sink, with the files that are being written.
// Programs of Hadoop ignore names that begin with a dot.
const temporary = ".tkit-writing"

// abandoned is the age from which a file that is being written has no writer any more:
// the writer was killed.
const abandoned = 24 * time.Hour

// Open connects to the cluster, creates the folder, which is then private to its owner,
// and removes what writers that were killed have left. The caller closes the files.
func Open(ctx context.Context, c hdfs.Config) (*Files, error) {
	opened, err := client.Open(ctx, c.Client)
	if err != nil {
		return nil, err
	}
	f := &Files{client: opened, root: c.Root}
	err = opened.MkdirAll(ctx, f.root, 0o700)
	if err == nil {
		err = f.clean(ctx, time.Now().Add(-abandoned))
	}
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return f, nil
}

// Close ends the use of the files.
func (f *Files) Close() error { return f.client.Close() }

// Put implements [sink.Files].
func (f *Files) Put(ctx context.Context, folder string, files []sink.File) error {
	for _, one := range files {
		if err := f.client.PutFile(ctx, path.Join(f.root, folder, one.Name), path.Join(f.root, temporary), one.Content); err != nil {
			return err
		}
	}
	return nil
}

// Size implements [sink.Files].
func (f *Files) Size(ctx context.Context, name string) (int64, error) {
	info, err := f.client.Stat(ctx, path.Join(f.root, name))
	if err != nil {
		return 0, err
	}
	if info.Openable(0) != nil { // open for write, for example
		return 0, &fs.PathError{Op: "size", Path: name, Err: fs.ErrNotExist}
	}
	return info.Size, nil
}

// MakeFolder implements [sink.Files].
func (f *Files) MakeFolder(ctx context.Context, name string) error {
	return f.client.MkdirAll(ctx, path.Join(f.root, name), 0o755)
}

// Names implements [sink.Files].
func (f *Files) Names(ctx context.Context, folder string) (names []string, err error) {
	for info, err := range f.client.ReadDir(ctx, path.Join(f.root, folder)) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		names = append(names, info.Name)
	}
	return names, nil
}

// Remove implements [sink.Files].
func (f *Files) Remove(ctx context.Context, folder string, names ...string) error {
	for _, name := range names {
		if err := f.client.RemoveAll(ctx, path.Join(f.root, folder, name)); err != nil {
			return err
		}
	}
	return nil
}

// clean removes files of writers that were killed before a time.
func (f *Files) clean(ctx context.Context, before time.Time) error {
	folder := path.Join(f.root, temporary)
	for info, err := range f.client.ReadDir(ctx, folder) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && info.Modified.Before(before) {
			err = f.client.RemoveAll(ctx, path.Join(folder, info.Name))
		}
		if err != nil {
			return fmt.Errorf("files that killed writers have left: %w", err)
		}
	}
	return nil
}
