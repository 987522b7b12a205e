package hdfs

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"path"
)

// PutFile writes a whole file, replacing an existing one atomically, and returns when
// it has its name. It is first written into the folder temporary, which must be of the
// same encryption zone. Missing folders are created. Temporary failures are repeated
// within the budget; an attempt that was interrupted may leave a file in temporary.
func (c *Client) PutFile(ctx context.Context, name, temporary string, content []byte) error {
	return c.call(ctx, "write", name, func(s *session) error {
		written := path.Join(temporary, rand.Text())
		err := inFolder(s, temporary, func() error { return write(ctx, s, written, bytes.NewReader(content)) })
		if err == nil {
			err = inFolder(s, path.Dir(name), func() error { return s.lib.Rename(written, name) })
		}
		if err != nil {
			s.lib.Remove(written)
		}
		return err
	})
}

// inFolder calls f, which makes a file in a folder. If the folder does not exist, it is
// made, and f called again.
func inFolder(s *session, dir string, f func() error) error {
	err := f()
	if !errors.Is(translate(err), fs.ErrNotExist) {
		return err
	}
	if err := s.lib.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return f()
}

// Move renames a file. It fails with fs.ErrExist if the new name exists. A call whose
// answer was lost is repeated, and then fails with fs.ErrNotExist.
func (c *Client) Move(ctx context.Context, from, to string) error {
	return c.call(ctx, "move", from, func(s *session) error {
		_, err := execute(s.lib, "rename2", map[string]any{"src": from, "dst": to, "overwriteDest": false})
		return err
	})
}
