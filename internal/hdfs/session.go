package hdfs

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/colinmarc/hdfs/v2"
)

// A session is one client of the library with its connections. The library
// allows one call at a time, so a session is used for one call or one file
// being written.
type session struct {
	lib     *hdfs.Client
	timeout time.Duration
	idle    time.Time // since when it is idle

	mu      sync.Mutex
	address string // of the NameNode that answered last
	name    *connection
	data    map[*connection]struct{}
	ended   error // why it must not be used any more
	lost    bool  // the connection to the NameNode failed
}

// newSession connects to a NameNode. The context bounds the connecting only.
func (c *Client) newSession(ctx context.Context) (*session, error) {
	s := &session{timeout: c.settings.callTimeout, data: map[*connection]struct{}{}}
	options := c.settings.options
	options.Addresses = c.nameNodes.order()
	options.NamenodeDialFunc = s.dialNameNode
	options.DatanodeDialFunc = s.dialDataNode
	if c.login != nil {
		var err error
		if options.KerberosClient, err = c.login.client(); err != nil {
			return nil, err
		}
	}
	stop := context.AfterFunc(ctx, func() { s.end(context.Cause(ctx)) })
	lib, err := hdfs.NewClient(options)
	if !stop() && err == nil {
		err = context.Cause(ctx)
		lib.Close()
	}
	if err != nil {
		s.end(err)
		return nil, c.login.judge(err)
	}
	s.lib = lib
	return s, nil
}

// end closes every connection, so that blocked calls return.
func (s *session) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.ended = why
	}
	if s.name != nil {
		s.name.Conn.Close()
	}
	for conn := range s.data {
		conn.Conn.Close()
	}
}

// close ends the session and the library's goroutine that renews its leases.
func (s *session) close() {
	s.end(net.ErrClosed)
	if s.lib != nil {
		s.lib.Close()
	}
}

// state returns why the session was ended, whether its NameNode was lost, and
// that NameNode's address.
func (s *session) state() (ended, lost bool, address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended != nil, s.lost, s.address
}

// dropData closes the remaining connections to DataNodes: the library leaves
// some open after an error.
func (s *session) dropData() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.data {
		conn.Conn.Close()
	}
	clear(s.data)
}

func (s *session) dialNameNode(ctx context.Context, network, address string) (net.Conn, error) {
	return s.enlist(ctx, network, address, func(conn *connection) {
		conn.answers = bufio.NewReader(&conn.patient)
		s.address, s.name = address, conn
	})
}

func (s *session) dialDataNode(ctx context.Context, network, address string) (net.Conn, error) {
	return s.enlist(ctx, network, address, func(conn *connection) { s.data[conn] = struct{}{} })
}

// enlist connects and, unless the session has ended meanwhile, records the
// connection under the mutex so that end closes it.
func (s *session) enlist(ctx context.Context, network, address string, note func(*connection)) (net.Conn, error) {
	conn, err := s.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		conn.Conn.Close()
		return nil, s.ended
	}
	note(conn)
	return conn, nil
}

func (s *session) dial(ctx context.Context, network, address string) (*connection, error) {
	conn, err := dial(ctx, network, address, s.timeout)
	if err != nil {
		return nil, err
	}
	return &connection{patient: *conn, session: s}, nil
}

// A connection belongs to a session.
type connection struct {
	patient
	session *session
	// answers buffers those of a NameNode, nil for a DataNode: the library reads
	// each in two parts.
	answers *bufio.Reader
}

func (c *connection) Read(b []byte) (n int, err error) {
	if c.answers != nil {
		n, err = c.answers.Read(b)
	} else {
		n, err = c.patient.Read(b)
	}
	return n, c.explain(err)
}

func (c *connection) Write(b []byte) (int, error) {
	sent := b
	if c.answers != nil {
		sent = withProtocol(b)
	}
	n, err := c.patient.Write(sent)
	if n == len(sent) || c.answers != nil && hungUp(err) {
		// A NameNode that refuses a user answers and hangs up at once. The
		// answer can still be read; if there is none, the read returns the
		// error.
		return len(b), nil
	}
	return min(n, len(b)), c.explain(err)
}

func hungUp(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

func (c *connection) Close() error {
	c.session.mu.Lock()
	delete(c.session.data, c)
	c.session.mu.Unlock()
	return c.Conn.Close()
}

// explain distinguishes a connection closed by the session from one that was
// lost.
func (c *connection) explain(err error) error {
	if err == nil {
		return nil
	}
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	if c.session.ended != nil {
		return c.session.ended
	}
	if c.answers != nil && !errors.Is(err, net.ErrClosed) {
		c.session.lost = true
	}
	return err
}
