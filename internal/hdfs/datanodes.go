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
	// idleTime is how long a connection to a DataNode waits for its next use.
	// The DataNode itself ends it after 4 s, unless it is told otherwise
	// (dfs.datanode.socket.reuse.keepalive).
	idleTime = 2 * time.Second
	// failedTime is how long a DataNode that failed is asked after the others.
	failedTime = time.Minute
)

// A dataConn is a connection to a DataNode between two operations, or during
// one.
type dataConn struct {
	net.Conn // by which the data transfer is protected
	address  string
	buffer   *bufio.Reader
	used     bool // for an operation before
	idle     time.Time
}

// dataNodes holds the connections that wait for their next use, and knows which
// DataNodes failed.
type dataNodes struct {
	mu     sync.Mutex
	idle   map[string][]*dataConn // by address, the one that waits longest first
	expiry *time.Timer            // runs while some wait
	failed map[string]time.Time
	closed bool
}

// take gives a connection that waits, or nil.
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

// put keeps a connection whose operation has ended well.
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

// expire closes what has waited too long, and comes again while any wait.
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

// close closes what waits, and what is put later.
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

// fail notes that a DataNode did not do what it was asked.
func (d *dataNodes) fail(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed == nil {
		d.failed = map[string]time.Time{}
	}
	d.failed[address] = time.Now()
}

// order gives a block's DataNodes in the order to ask them in.
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

// connect makes a new connection to a DataNode, which a block's token opens.
func (c *Client) connect(ctx context.Context, address string, b *block) (*dataConn, error) {
	s, err := c.take(ctx)
	if err != nil {
		return nil, err
	}
	conn, reached, err := s.connect(ctx, address, b)
	if !reached {
		c.put(s, nil)
	} else {
		c.put(s, err) // what it knows of the cluster's keys may be old
	}
	return conn, err
}

// connect says beside whether it came to agreeing on a protection.
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
