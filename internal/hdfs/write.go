package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/colinmarc/hdfs/v2"
)

// WriteFile writes a whole file. It appears under its path only when it is
// complete and closed: it is written to a temporary file and renamed. An
// existing file is replaced. Missing folders are created.
func (c *Client) WriteFile(ctx context.Context, name string, content io.Reader) error {
	dir, file := path.Split(name)
	beside := fmt.Sprintf("%s._%s.%d.tmp", dir, file, time.Now().UnixNano())
	err := c.attempt(ctx, func(s *session) error {
		if err := s.lib.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := write(ctx, s, beside, content); err != nil {
			s.lib.Remove(beside)
			return err
		}
		return s.lib.Rename(beside, name)
	})
	if err != nil {
		return pathError("write", name, translate(err))
	}
	return nil
}

func write(ctx context.Context, s *session, name string, content io.Reader) error {
	w, err := s.lib.Create(name)
	if err != nil {
		return err
	}
	// Under erasure coding the library would lose data, and in an encryption
	// zone it would store plain text.
	info, err := stat(s, name)
	if err == nil && !errors.Is(info.Refused, errOpen) {
		err = info.Refused
	}
	if err != nil {
		w.Close()
		return err
	}
	n, err := io.Copy(w, content)
	if err != nil {
		w.Close()
		return err
	}
	if err := finish(ctx, w); err != nil {
		return err
	}
	info, err = stat(s, name)
	if err == nil && (info.Size != n || info.Refused != nil) {
		err = fmt.Errorf("%d bytes were written and the file has %d (%v)", n, info.Size, info.Refused)
	}
	return err
}

// finish closes a file. The DataNodes may have all of it before the NameNode
// knows.
func finish(ctx context.Context, w *hdfs.FileWriter) error {
	for wait := firstWait; ; wait = min(2*wait, mostWait) {
		if err := w.Close(); !hdfs.IsErrReplicating(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// MkdirAll makes a directory and its parents.
func (c *Client) MkdirAll(ctx context.Context, dir string, mode fs.FileMode) error {
	return c.call(ctx, "mkdir", dir, func(s *session) error { return s.lib.MkdirAll(dir, mode) })
}

// Rename moves a file, replacing an existing one atomically.
func (c *Client) Rename(ctx context.Context, from, to string) error {
	if err := c.attempt(ctx, func(s *session) error { return s.lib.Rename(from, to) }); err != nil {
		return pathError("rename", from, translate(err))
	}
	return nil
}

// RemoveAll removes a file or a whole directory. A missing one is no error.
func (c *Client) RemoveAll(ctx context.Context, name string) error {
	return c.call(ctx, "remove", name, func(s *session) error { return s.lib.RemoveAll(name) })
}
