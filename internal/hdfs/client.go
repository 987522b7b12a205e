// Package hdfs is the project's only HDFS client: colinmarc/hdfs with
// safeguards around it, and its own implementation of reading. A read returns
// all bytes of the file that was opened, or an error: the file's blocks are
// fixed when it is opened, and every byte is checked against its checksum.
// Files that would be read wrongly are refused with the reason. Every wait is
// bounded. Temporary failures (a NameNode restarting or failing over, lost
// DataNodes) are retried within a budget.
// The library makes the calls to the NameNode, writes files, and negotiates the
// protection of the data transfer with DataNodes. This package reads: it makes
// one call to the NameNode per file instead of three, and reuses connections to
// DataNodes.
package hdfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// idleSessions is how many sessions are kept for later calls, and
	// sessionIdleTime how long one is kept. Each costs the NameNode a
	// connection and, in the library, one lease renewal a second.
	idleSessions    = 16
	sessionIdleTime = 10 * time.Second
)

// A Client accesses one cluster as one user. It is safe for concurrent use.
type Client struct {
	settings  settings
	login     *login // nil without Kerberos
	nameNodes nameNodes
	dataNodes dataNodes

	mu     sync.Mutex
	idle   []*session  // the longest idle first
	expiry *time.Timer // runs while sessions are idle
	closed bool
}

// Open finds the cluster and connects, so that wrong settings fail here.
func Open(ctx context.Context, config Config) (*Client, error) {
	s, err := config.settings()
	if err != nil {
		return nil, err
	}
	c := &Client{settings: s, nameNodes: nameNodes{addresses: s.options.Addresses}}
	if s.kerberos != nil {
		if c.login, err = newLogin(*s.kerberos); err != nil {
			return nil, err
		}
	}
	if _, err := c.Stat(ctx, "/"); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// User returns the user that the NameNode sees, according to the rules of
// hadoop.security.auth_to_local in this machine's configuration.
func (c *Client) User() string {
	if c.login != nil {
		return c.login.user
	}
	return c.settings.options.User
}

// Authority returns the cluster's name in a URI: hdfs://AUTHORITY/PATH.
func (c *Client) Authority() string { return c.settings.authority }

// Close closes idle connections. Open files keep theirs until they are closed.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.dropIdle()
	c.dataNodes.close()
	if c.login != nil {
		c.login.close()
	}
	return nil
}

// take returns an idle session or a new one.
func (c *Client) take(ctx context.Context) (*session, error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		s := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return s, nil
	}
	c.mu.Unlock()
	return c.newSession(ctx)
}

// put returns a session after a use that ended with the given error or nil. A
// failed session is not reused. If the NameNode was lost, the idle sessions are
// dropped too, because they would fail the same way.
func (c *Client) put(s *session, err error) {
	s.dropData()
	ended, lost, address := s.state()
	switch {
	case lost:
		c.nameNodes.failed(address)
		c.dropIdle()
	case err == nil:
		c.nameNodes.served(address)
	}
	c.mu.Lock()
	keep := !c.closed && !ended && !lost && (err == nil || judge(err) == final) && len(c.idle) < idleSessions
	if keep {
		s.idle = time.Now()
		c.idle = append(c.idle, s)
		if c.expiry == nil {
			c.expiry = time.AfterFunc(sessionIdleTime, func() { c.expire(time.Now()) })
		}
	}
	c.mu.Unlock()
	if !keep {
		s.close()
	}
}

// expire ends sessions that were idle too long, and reschedules itself while
// any are left.
func (c *Client) expire(now time.Time) {
	c.mu.Lock()
	old := 0
	for old < len(c.idle) && now.Sub(c.idle[old].idle) >= sessionIdleTime {
		old++
	}
	ended := slices.Clone(c.idle[:old])
	c.idle = slices.Delete(c.idle, 0, old)
	c.expiry = nil
	if len(c.idle) > 0 {
		c.expiry = time.AfterFunc(sessionIdleTime, func() { c.expire(time.Now()) })
	}
	c.mu.Unlock()
	for _, s := range ended {
		s.close()
	}
}

func (c *Client) dropIdle() {
	c.mu.Lock()
	idle := c.idle
	c.idle = nil
	if c.expiry != nil {
		c.expiry.Stop()
		c.expiry = nil
	}
	c.mu.Unlock()
	for _, s := range idle {
		s.close()
	}
}

// attempt runs f with a session that ends when the context ends.
func (c *Client) attempt(ctx context.Context, f func(*session) error) error {
	s, err := c.take(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { s.end(context.Cause(ctx)) })
	err = f(s)
	stop()
	c.put(s, err)
	return err
}

// call repeats an attempt until it succeeds, its error is final, the budget is
// spent or the context ends. The operation must be idempotent.
func (c *Client) call(ctx context.Context, op, path string, f func(*session) error) error {
	r := c.retrying(ctx)
	for {
		err := translate(c.attempt(ctx, f))
		if err == nil {
			return nil
		}
		if err = r.next(err); err != nil {
			return pathError(op, path, err)
		}
	}
}

// retries holds the retry state of one operation.
type retries struct {
	client   *Client
	ctx      context.Context
	deadline time.Time
	wait     time.Duration
}

const (
	firstWait = 50 * time.Millisecond
	mostWait  = 2 * time.Second
)

func (c *Client) retrying(ctx context.Context) *retries {
	r := &retries{client: c, ctx: ctx}
	r.progress()
	return r
}

// progress restarts the budget.
func (r *retries) progress() {
	r.deadline = time.Now().Add(r.client.settings.budget)
	r.wait = firstWait
}

// next waits before the next attempt and returns nil, or returns the final
// error.
func (r *retries) next(err error) error {
	if ctxErr := r.ctx.Err(); ctxErr != nil {
		if errors.Is(err, ctxErr) {
			return err
		}
		return fmt.Errorf("%w (last: %v)", context.Cause(r.ctx), err)
	}
	if judge(err) == final {
		return err
	}
	if time.Now().Add(r.wait).After(r.deadline) {
		return r.client.unavailable(err)
	}
	select {
	case <-r.ctx.Done():
		return fmt.Errorf("%w (last: %v)", context.Cause(r.ctx), err)
	case <-time.After(r.wait):
	}
	r.wait = min(2*r.wait, mostWait)
	return nil
}
