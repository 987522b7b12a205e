package webhdfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tkit/internal/hdfs"
	"tkit/internal/hdfs/retry"
)

// A Reader reads one file. It is not safe for concurrent use.
type Reader struct {
	client *Client
	ctx    context.Context
	path   string
	info   hdfs.Info
	offset int64

	stream   *stream // nil until the file is requested (again)
	holders  holders
	resumed  bool   // it was requested before
	suspect  string // the DataNode that failed last, by its address in the stream
	avoid    []string
	patience *retry.Patience
	ended    error
}

// Info returns the file's status when it was opened.
func (r *Reader) Info() hdfs.Info { return r.info }

// Read implements io.Reader.
func (r *Reader) Read(b []byte) (int, error) {
	for r.ended == nil {
		if r.offset == r.info.Size {
			r.ended = r.finish()
			break
		}
		if len(b) == 0 {
			return 0, nil
		}
		n, err := r.attempt(b)
		if n > 0 {
			r.offset += int64(n)
			r.patience.Progress()
			return n, nil
		}
		if err = r.retry(err); err != nil {
			r.ended = pathError("read", r.path, err)
		}
	}
	return 0, r.ended
}

// attempt reads some bytes or returns an error.
func (r *Reader) attempt(b []byte) (int, error) {
	if err := r.connect(); err != nil {
		return 0, err
	}
	n, err := r.stream.Read(b[:min(int64(len(b)), r.info.Size-r.offset)])
	if n == 0 && (err == nil || errors.Is(err, io.EOF)) {
		err = fmt.Errorf("%s: %w", r.stream.host, io.ErrUnexpectedEOF)
	}
	return n, err
}

// retry returns nil if the file can be requested again at the offset.
func (r *Reader) retry(err error) error {
	r.stream.close()
	r.stream = nil
	return r.client.again(r.patience, err)
}

// finish returns io.EOF if all bytes of the opened file were read. A single
// answer has one file's bytes, and its length was checked at its beginning;
// after an interruption the answers may be from two files.
func (r *Reader) finish() error {
	if r.stream != nil && r.stream.hasMore() {
		return pathError("read", r.path, hdfs.ErrReplaced)
	}
	r.stream.close()
	r.stream = nil
	if r.resumed {
		if err := r.unchanged(); err != nil {
			return pathError("read", r.path, err)
		}
	}
	return io.EOF
}

// unchanged checks that the path is still the file that was opened.
func (r *Reader) unchanged() error {
	now, err := r.client.Stat(r.ctx, r.path)
	switch {
	case err != nil:
		return err
	case now.Identity() != r.info.Identity():
		return hdfs.ErrReplaced
	}
	return now.Refused
}

// connect requests the rest of the file, unless a request is active.
func (r *Reader) connect() error {
	if r.stream != nil {
		return nil
	}
	if r.resumed = r.patience.Waited(); r.resumed {
		if err := r.unchanged(); err != nil {
			return err
		}
		r.avoidSuspect()
	}
	s := newStream(r.ctx, r.client.settings.CallTimeout)
	if err := r.begin(s); err != nil {
		s.close()
		return err
	}
	r.stream = s
	return nil
}

// begin asks a NameNode for the location of the bytes and starts the stream
// there. HttpFS sends them at once.
func (r *Reader) begin(s *stream) error {
	query := map[string]string{"offset": strconv.FormatInt(r.offset, 10)}
	if len(r.avoid) > 0 {
		query["excludedatanodes"] = strings.Join(r.avoid, ",")
	}
	a, err := r.client.askServing(s.ctx, operation{name: "OPEN", path: r.path, query: query})
	if err != nil {
		r.avoid = nil // there may be no others
		return err
	}
	if a.StatusCode == http.StatusTemporaryRedirect {
		a.close()
		to, err := checkRedirect(a.from, a.Header.Get("Location"))
		if err != nil {
			return err
		}
		if err := r.checkHolder(s.ctx, a.from, to); err != nil {
			return err
		}
		r.suspect = to.Host
		if a, err = r.client.fetch(s.ctx, to); err != nil {
			return err
		}
	}
	s.begin(a)
	if rest := r.info.Size - r.offset; s.length >= 0 && s.length != rest {
		if err := r.unchanged(); err != nil {
			return err
		}
		return fmt.Errorf("%s: %w: it sent %d of the remaining %d bytes", s.host, io.ErrUnexpectedEOF, s.length, rest)
	}
	return nil
}

// fetch reads from the target of a NameNode's redirect. The address carries the
// authorisation; nothing is added to it, except that a gateway that redirects
// to itself wants the credentials again.
func (c *Client) fetch(ctx context.Context, to *url.URL) (answer, error) {
	var a answer
	var err error
	if to.Scheme == c.scheme() && slices.Contains(c.settings.servers, to.Host) {
		a, err = c.identity.do(ctx, to, to.Query(), "", c.send)
	} else {
		a, err = c.send(ctx, to, nil)
	}
	if err == nil && a.StatusCode != http.StatusOK {
		a.close()
		return answer{}, fmt.Errorf("%w: %s, the target of a redirect, redirects again", errProtocol, to.Host)
	}
	return a, err
}

// avoidSuspect tells the NameNode to exclude the DataNode that failed: it may
// take minutes until the NameNode knows that it is dead, and the nearest one is
// always its first choice. The NameNode identifies DataNodes by a different
// port.
func (r *Reader) avoidSuspect() {
	host, port, err := net.SplitHostPort(r.suspect)
	r.suspect = ""
	if err != nil {
		return
	}
	b, err := r.client.blocks(r.ctx, r.path, r.offset, r.client.attempt)
	if err != nil {
		return
	}
	for _, block := range b.Located {
		for _, d := range block.Locations {
			if (d.Host == host || d.IP == host) && (strconv.Itoa(d.HTTP) == port || strconv.Itoa(d.HTTPSecure) == port) {
				r.avoid = append(r.avoid, net.JoinHostPort(d.IP, strconv.Itoa(d.Transfer)))
			}
		}
	}
}

// Close ends the read. It may be called twice.
func (r *Reader) Close() error {
	if r.ended == nil {
		r.ended = fs.ErrClosed
	}
	r.stream.close()
	return nil
}
