package hdfs

import (
	"bufio"
	"context"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	// idleTime is how long a connection to a DataNode is kept for its next use.
	// By default the DataNode closes it after 4 s
	// (dfs.datanode.socket.reuse.keepalive).
	idleTime = 2 * time.Second
	// failedTime is how long a DataNode that failed is tried last.
	failedTime = time.Minute
)

// A dataConn is a connection to a DataNode.
type dataConn struct {
	net.Conn // protects the data transfer
	address  string
	buffer   *bufio.Reader
	used     bool // for an earlier operation
	idle     time.Time
}

// dataNodes holds the idle connections and remembers which DataNodes failed.
type dataNodes struct {
	mu     sync.Mutex
	idle   map[string][]*dataConn // by address, the longest idle first
	expiry *time.Timer            // runs while connections are idle
	failed map[string]time.Time
	closed bool
}

// take returns an idle connection or nil.
func (d *dataNodes) take(address string) *dataConn {
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting := d.idle[address]
	if len(waiting) == 0 {
		return nil
	}
	conn := waiting[len(waiting)-1]
	d.idle[address] = waiting[:len(waiting)-1]
	return conn
}

// put keeps a connection after a successful operation.
func (d *dataNodes) put(conn *dataConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.failed, conn.address)
	if d.closed || len(d.idle[conn.address]) >= idleSessions {
		conn.Close()
		return
	}
	if d.idle == nil {
		d.idle = map[string][]*dataConn{}
	}
	conn.used, conn.idle = true, time.Now()
	d.idle[conn.address] = append(d.idle[conn.address], conn)
	if d.expiry == nil {
		d.expiry = time.AfterFunc(idleTime, d.expire)
	}
}

// expire closes connections that were idle too long, and reschedules itself
// while any are left.
func (d *dataNodes) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expiry = nil
	for address, waiting := range d.idle {
		kept := slices.DeleteFunc(waiting, func(conn *dataConn) bool {
			old := time.Since(conn.idle) >= idleTime
			if old {
				conn.Close()
			}
			return old
		})
		if len(kept) == 0 {
			delete(d.idle, address)
		} else {
			d.idle[address] = kept
		}
	}
	if len(d.idle) > 0 {
		d.expiry = time.AfterFunc(idleTime, d.expire)
	}
}

// close closes the idle connections, and those put later.
func (d *dataNodes) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.expiry != nil {
		d.expiry.Stop()
	}
	for _, waiting := range d.idle {
		for _, conn := range waiting {
			conn.Close()
		}
	}
	d.idle = nil
}

// fail records that a DataNode failed.
func (d *dataNodes) fail(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed == nil {
		d.failed = map[string]time.Time{}
	}
	d.failed[address] = time.Now()
}

// order returns a block's DataNodes in the order in which to try them.
func (d *dataNodes) order(addresses []string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	good := make([]string, 0, len(addresses))
	var bad []string
	for _, a := range addresses {
		if at, ok := d.failed[a]; ok && time.Since(at) < failedTime {
			bad = append(bad, a)
		} else {
			good = append(good, a)
		}
	}
	return append(good, bad...)
}

// connect opens a connection to a DataNode, authorised by a block's token.
func (c *Client) connect(ctx context.Context, address string, b *block) (*dataConn, error) {
	s, err := c.take(ctx)
	if err != nil {
		return nil, err
	}
	conn, reached, err := s.connect(ctx, address, b)
	if !reached {
		c.put(s, nil)
	} else {
		c.put(s, err) // its keys of the cluster may be outdated
	}
	return conn, err
}

// connect also reports whether it reached the negotiation of the protection.
func (s *session) connect(ctx context.Context, address string, b *block) (_ *dataConn, reached bool, err error) {
	var handshake net.Conn
	stop := func() bool { return true }
	end := context.AfterFunc(ctx, func() { s.end(context.Cause(ctx)) })
	dialProtected, err := protected(s.lib, func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := dial(ctx, network, address, s.timeout)
		if err != nil {
			return nil, err
		}
		reached = true
		handshake = raw
		stop = context.AfterFunc(ctx, func() { raw.Conn.Close() })
		return raw, nil
	}, b.credential)
	if !end() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, true, err
	}
	conn, err := dialProtected(ctx, "tcp", address)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		if reached {
			handshake.Close() // the library leaves it open
		}
		return nil, reached, err
	}
	conn = whole(conn)
	return &dataConn{Conn: conn, address: address, buffer: bufio.NewReaderSize(conn, 32<<10)}, true, nil
}
