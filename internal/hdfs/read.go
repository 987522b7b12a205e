package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/colinmarc/hdfs/v2"
)

// Open reads a file from an offset to its end. The Reader gives io.EOF after
// the last byte of the size that the file had when it was opened, and at no
// other place. The context bounds the reading too.
func (c *Client) Open(ctx context.Context, path string, offset int64) (*Reader, error) {
	info, err := c.Stat(ctx, path)
	if err != nil {
		return nil, err
	}
	return c.OpenInfo(ctx, path, info, offset)
}

// OpenInfo is Open for a file that Stat or ReadDir told of before: it costs the
// NameNode one call less. The file is pinned: when it was replaced since, the
// error wraps ErrReplaced.
func (c *Client) OpenInfo(ctx context.Context, path string, info Info, offset int64) (*Reader, error) {
	if err := info.Openable(offset); err != nil {
		return nil, pathError("open", path, err)
	}
	r := &Reader{client: c, ctx: ctx, path: path, info: info, offset: min(offset, info.Size), retries: c.retrying(ctx)}
	for {
		err := translate(r.connect())
		if err == nil {
			return r, nil
		}
		if err = r.retry(err); err != nil {
			r.Close()
			return nil, pathError("open", path, err)
		}
	}
}

// A Reader reads one file. It is not safe for concurrent use.
type Reader struct {
	client *Client
	ctx    context.Context
	path   string
	info   Info
	offset int64

	session *session         // nil when the file is to be opened (again)
	file    *hdfs.FileReader // of the session
	stop    func() bool
	retries *retries
	corrupt int // attempts in a row that met a wrong checksum
	ended   error
}

// Info is what the file was when it was opened.
func (r *Reader) Info() Info { return r.info }

// pinned is the path by which the file is read: that of its inode, so that a
// rename over it between two calls cannot give another file's blocks with this
// one's length. A snapshot's files share their inodes with the live ones and do
// not change.
func (r *Reader) pinned() string {
	if strings.Contains(r.path, "/.snapshot/") {
		return r.path
	}
	return "/.reserved/.inodes/" + strconv.FormatUint(r.info.ID, 10)
}

// connect opens the file at the offset on a session of the reader's own, and
// checks that it is still the same.
func (r *Reader) connect() error {
	s, err := r.client.take(r.ctx)
	if err != nil {
		return err
	}
	r.session = s
	r.stop = context.AfterFunc(r.ctx, func() { s.end(context.Cause(r.ctx)) })
	r.file, err = s.lib.Open(r.pinned())
	if errors.Is(err, fs.ErrNotExist) {
		return r.gone()
	}
	if err != nil {
		return err
	}
	now := newInfo(r.info.Name, r.file.Stat().Sys().(*hdfs.FileStatus))
	switch {
	case now.Refused != nil:
		return now.Refused
	case now.ID != r.info.ID || now.Size != r.info.Size || !now.Modified.Equal(r.info.Modified):
		return ErrReplaced
	}
	if r.offset > 0 && r.offset < r.info.Size {
		_, err = r.file.Seek(r.offset, io.SeekStart)
	}
	return err
}

// gone tells a file that was removed from one that another stands in for.
func (r *Reader) gone() error {
	if _, err := stat(r.session, r.path); err != nil {
		return err
	}
	return ErrReplaced
}

// release ends the use of the session.
func (r *Reader) release(err error) {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
	if r.session != nil {
		r.stop()
		r.client.put(r.session, err)
		r.session = nil
	}
}

// retry gives nil when the file is to be opened again at the offset.
func (r *Reader) retry(err error) error {
	r.release(err)
	return r.retries.next(err)
}

// Read implements io.Reader.
func (r *Reader) Read(b []byte) (int, error) {
	for r.ended == nil {
		if r.offset == r.info.Size {
			r.release(nil)
			r.ended = io.EOF
			break
		}
		if len(b) == 0 {
			return 0, nil
		}
		n, err := r.attempt(b)
		if err == nil {
			r.offset += int64(n)
			r.retries.progress()
			r.corrupt = 0
			return n, nil
		}
		if err = r.retry(err); err != nil {
			r.ended = pathError("read", r.path, err)
		}
	}
	return 0, r.ended
}

// mostCorrupt is how many replicas' reads are given up before the file is: more
// than a file usually has.
const mostCorrupt = 6

// attempt reads some bytes, or tells why none can be believed.
func (r *Reader) attempt(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	if r.session == nil {
		if err := translate(r.connect()); err != nil {
			return 0, err
		}
	}
	n, err := r.file.Read(b[:min(int64(len(b)), r.info.Size-r.offset)])
	err = translate(err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, translate(r.gone())
	case replicaFailed(r.file) && n > 0:
		err = errReplica
	case err == nil && n > 0:
		return n, nil
	case err == nil || errors.Is(err, io.EOF):
		// A call that was cut reads as the end of the file, too.
		err = io.ErrUnexpectedEOF
	}
	if errors.Is(err, errReplica) || strings.Contains(err.Error(), "invalid checksum") {
		if r.corrupt++; r.corrupt == mostCorrupt {
			return 0, fmt.Errorf("%w: its replicas fail their checksums at %d: see hdfs fsck", ErrRefused, r.offset)
		}
	}
	return 0, err
}

var errReplica = errors.New("a DataNode's connection or checksum failed during the read")

// Close ends the reading. It may be called twice.
func (r *Reader) Close() error {
	if r.ended == nil {
		r.ended = fs.ErrClosed
	}
	if r.offset < r.info.Size && r.session != nil {
		// Nothing is wrong with the session, but a block is under way.
		r.session.dropData()
	}
	r.release(nil)
	return nil
}
