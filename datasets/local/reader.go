package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"tkit/datasets"
)

// reader reads an open file from an offset to the size at opening.
type reader struct {
	ctx    context.Context
	path   string
	f      *os.File
	opened fs.FileInfo
	left   int64
}

func newReader(ctx context.Context, f *os.File, path string, offset int64) (*reader, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s: %w", path, refuse(errors.New("it is a folder, not a file")))
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: %w", path, refuse(special(info.Mode().Type())))
	}
	if offset != 0 {
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			return nil, err
		}
	}
	return &reader{ctx: ctx, path: path, f: f, opened: info, left: max(0, info.Size()-offset)}, nil
}

func (r *reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if r.left == 0 {
		return 0, r.end()
	}
	n, err := r.f.Read(b[:min(int64(len(b)), r.left)])
	r.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%s: %w: it became shorter while it was read", r.path, io.ErrUnexpectedEOF)
	}
	return n, err
}

// end returns io.EOF if the file is unchanged since it was opened. Otherwise a
// file overwritten in place could be read as a mixture of both contents.
func (r *reader) end() error {
	now, err := r.f.Stat()
	if err != nil {
		return err
	}
	if now.Size() != r.opened.Size() || !now.ModTime().Equal(r.opened.ModTime()) {
		return fmt.Errorf("%s: %w: it was written to while it was read", r.path, datasets.ErrChanged)
	}
	return io.EOF
}

func (r *reader) Close() error { return r.f.Close() }
