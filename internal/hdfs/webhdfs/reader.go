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

	stream   *stream // nil when the file is to be asked for (again)
	holders  holders
	resumed  bool   // it was asked for before
	suspect  string // the DataNode that failed last, as the stream knows it
	avoid    []string
	patience *retry.Patience
	ended    error
}

// Info is what the file was when it was opened.
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

// attempt reads some bytes, or says why none come.
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

// retry gives nil when the file is to be asked for again at the offset.
func (r *Reader) retry(err error) error {
	r.disconnect()
	return r.client.again(r.patience, err)
}

// finish gives io.EOF when what was read is the file that was opened, and all
// of it. One answer comes of one file, and its length was compared when it
// began; after a break, the answers may be of two.
func (r *Reader) finish() error {
	if r.stream != nil && r.stream.goesOn() {
		return pathError("read", r.path, hdfs.ErrReplaced)
	}
	r.disconnect()
	if r.resumed {
		if err := r.unchanged(); err != nil {
			return pathError("read", r.path, err)
		}
	}
	return io.EOF
}

// unchanged says whether the path still is the file that was opened.
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

// connect asks for the rest of the file, unless that is under way.
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

// begin asks a NameNode where the bytes are and has the stream begin there.
// HttpFS sends them at once.
func (r *Reader) begin(s *stream) error {
	query := map[string]string{"offset": strconv.FormatInt(r.offset, 10)}
	if len(r.avoid) > 0 {
		query["excludedatanodes"] = strings.Join(r.avoid, ",")
	}
	a, err := r.client.askServing(s.ctx, operation{name: "OPEN", path: r.path, query: query})
	if err != nil {
		r.avoid = nil // they may be all that there are
		return err
	}
	if a.StatusCode == http.StatusTemporaryRedirect {
		a.close()
		to, err := follow(a.from, a.Header.Get("Location"))
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
		return fmt.Errorf("%s: %w: it has %d bytes of the %d that are left", s.host, io.ErrUnexpectedEOF, s.length, rest)
	}
	return nil
}

// fetch reads from where a NameNode redirects to. Who may read is told there by
// what the NameNode put into the address; we add nothing to it, except that a
// gateway that redirects to itself wants to know us again.
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
		return answer{}, fmt.Errorf("%w: %s, where the file's bytes should be, redirects once more", errProtocol, to.Host)
	}
	return a, err
}

// avoidSuspect has the NameNode leave out the DataNode that failed: it may take
// minutes until the NameNode knows that it is dead, and the nearest one is
// always its first choice. It knows DataNodes by another port than ours.
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

func (r *Reader) disconnect() {
	if r.stream != nil {
		r.stream.close()
		r.stream = nil
	}
}

// Close ends the reading. It may be called twice.
func (r *Reader) Close() error {
	if r.ended == nil {
		r.ended = fs.ErrClosed
	}
	r.disconnect()
	return nil
}
