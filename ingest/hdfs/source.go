package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"tkit/datasets/hdfs"
	"tkit/ingest/directory"
	client "tkit/internal/hdfs"
)

// A Source is a cluster with folders in which files arrive.
type Source struct{ client *client.Client }

var _ directory.Store = (*Source)(nil)

// OpenSource connects to the cluster. The caller closes the source.
func OpenSource(ctx context.Context, c hdfs.Config) (*Source, error) {
	opened, err := client.Open(ctx, c.Client)
	if err != nil {
		return nil, err
	}
	return &Source{opened}, nil
}

// Close ends the connection.
func (s *Source) Close() error { return s.client.Close() }

// List implements [directory.Store]. It leaves out what programs of Hadoop write to and
// then rename.
func (s *Source) List(ctx context.Context, folder string, see func(directory.Entry) error) error {
	for info, err := range s.client.ReadDir(ctx, folder) {
		if err == nil && !temporaryName(info.Name) {
			err = see(entryOf(info))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// temporaryName reports whether a name is that of a file that is being written, by
// `hdfs dfs -put`, MapReduce or Flume, or of a marker.
func temporaryName(name string) bool {
	return strings.HasSuffix(name, "._COPYING_") || strings.HasSuffix(name, ".tmp") || name == "_temporary" || name == "_SUCCESS"
}

// Stat implements [directory.Store].
func (s *Source) Stat(ctx context.Context, name string) (directory.Entry, error) {
	info, err := s.client.Stat(ctx, path.Clean(name))
	if err != nil {
		return directory.Entry{}, err
	}
	return entryOf(info), nil
}

func entryOf(i client.Info) directory.Entry {
	return directory.Entry{
		Name: i.Name, Folder: i.Directory, File: !i.Directory,
		Stamp: directory.Stamp{Size: i.Size, Modified: i.Modified.UnixNano(), Inode: i.ID},
	}
}

// Read implements [directory.Store].
func (s *Source) Read(ctx context.Context, name string, seen directory.Stamp, most int64) (now directory.Stamp, content []byte, err error) {
	info, err := s.client.Stat(ctx, name)
	if err != nil {
		return now, nil, err
	}
	now = entryOf(info).Stamp
	switch {
	case info.Directory:
		return now, nil, fmt.Errorf("%s: %w", name, directory.ErrNoFile)
	case info.BeingWritten():
		return now, nil, fmt.Errorf("%s: %w", name, directory.ErrOpen)
	case info.Refused != nil:
		return now, nil, fmt.Errorf("%s: %w: %w", name, directory.ErrRefused, info.Refused)
	case now != seen:
		return now, nil, nil
	case now.Size > most:
		return now, nil, directory.TooLarge(name, now.Size, most)
	}
	if content, err = s.read(ctx, name, now.Size); err != nil {
		return now, nil, err
	}
	after, err := s.Stat(ctx, name)
	return after.Stamp, content, err
}

// read reads a file of a known size.
func (s *Source) read(ctx context.Context, name string, size int64) (content []byte, err error) {
	r, err := s.client.Open(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	content = make([]byte, size)
	_, err = io.ReadFull(r, content)
	return content, err
}

// Rename implements [directory.Store].
func (s *Source) Rename(ctx context.Context, from, to string) error {
	return s.client.Move(ctx, from, to)
}

// Remove implements [directory.Store].
func (s *Source) Remove(ctx context.Context, name string) error { return s.client.RemoveAll(ctx, name) }

// MakeFolder implements [directory.Store].
func (s *Source) MakeFolder(ctx context.Context, name string) error {
	return s.client.MkdirAll(ctx, name, 0o755)
}

// MakeArchive implements [directory.Store].
func (s *Source) MakeArchive(ctx context.Context, archive, _ string) error {
	return s.client.MkdirAll(ctx, archive, 0o700)
}
