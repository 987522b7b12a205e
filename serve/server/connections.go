package server

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// connections limits the connections of all ports together, so that file descriptors
// remain for models, the policy and the log. At the limit, a new connection displaces
// the one that has been unused for longest. A connection is in use while it has a
// request of an authenticated caller, so clients without a token cannot block others
// for long.
type connections struct {
	most int

	mu     sync.Mutex
	open   int
	unused *list.List // of *connection, the longest unused first
}

func newConnections(most int) *connections { return &connections{most: most, unused: list.New()} }

// mostConnections returns half of the number of files that the process may open, but
// no more than fit in memory.
func mostConnections() (int, error) {
	const memory = 4096
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return 0, err
	}
	return int(max(min(files.Cur/2, memory), 8)), nil
}

// A connection is a connection to a front end.
type connection struct {
	net.Conn
	all   *connections
	close func() error // once

	// Guarded by all.mu:
	users  int           // requests of authenticated callers
	waits  *list.Element // in all.unused; nil while there are users
	closed bool
}

// listen counts the connections of a port.
func (c *connections) listen(l net.Listener) net.Listener { return countedListener{l, c} }

type countedListener struct {
	net.Listener
	all *connections
}

func (l countedListener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.all.add(accepted); c != nil {
			return c, nil
		}
		accepted.Close() // each connection has a request in progress
	}
}

// add registers a connection, and displaces another one at the limit. It returns nil
// if all are in use.
func (c *connections) add(accepted net.Conn) *connection {
	added := &connection{Conn: accepted, all: c, close: sync.OnceValue(accepted.Close)}
	c.mu.Lock()
	var displaced *connection
	if c.open >= c.most {
		if c.unused.Len() == 0 {
			c.mu.Unlock()
			return nil
		}
		displaced = c.unused.Front().Value.(*connection)
		c.forget(displaced)
	}
	c.open++
	added.waits = c.unused.PushBack(added)
	c.mu.Unlock()
	if displaced != nil {
		displaced.close()
	}
	return added
}

// forget removes a connection from the count.
func (c *connections) forget(gone *connection) {
	if gone.closed {
		return
	}
	gone.closed = true
	c.open--
	if gone.waits != nil {
		c.unused.Remove(gone.waits)
		gone.waits = nil
	}
}

// Close closes the connection.
func (c *connection) Close() error {
	c.all.mu.Lock()
	c.all.forget(c)
	c.all.mu.Unlock()
	return c.close()
}

// use records that a request of an authenticated caller began, or with -1 ended.
func (c *connection) use(n int) {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.users += n
	switch {
	case c.closed:
	case c.users > 0 && c.waits != nil:
		c.all.unused.Remove(c.waits)
		c.waits = nil
	case c.users == 0:
		c.waits = c.all.unused.PushBack(c)
	}
}

type connectionKey struct{}

// withConnection puts a connection into the context of its requests.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	return context.WithValue(ctx, connectionKey{}, c)
}

// useConnection protects the connection of the request with this context from
// being displaced until the request ends.
func useConnection(ctx context.Context) {
	if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
		c.use(1)
		context.AfterFunc(ctx, func() { c.use(-1) })
	}
}
