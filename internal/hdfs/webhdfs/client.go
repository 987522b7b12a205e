// Package webhdfs is a client of HDFS over HTTP: the REST API of NameNodes,
// which redirect to DataNodes for a file's bytes, and of HttpFS, which sends
// them itself. Use it for clusters whose other ports cannot be reached, and to
// act as another user.
//
// It gives the same guarantees as package hdfs. A read returns all bytes of the
// file that was opened, or an error. Every wait is bounded. Temporary failures
// are retried within a budget. Files and errors have the types of package hdfs.
package webhdfs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"tkit/internal/hdfs"
	"tkit/internal/hdfs/retry"
)

// A Client accesses one cluster as one user. It is safe for concurrent use.
type Client struct {
	settings settings
	http     *http.Transport // not http.Client: redirects are followed here
	identity identity
	user     string       // as the cluster sees it
	serving  atomic.Int32 // the server to try first
}

// Open finds the cluster and requests its root and the user's name, so that
// wrong settings fail here.
func Open(ctx context.Context, config Config) (*Client, error) {
	s, err := config.settings()
	if err != nil {
		return nil, err
	}
	c := &Client{settings: s}
	if c.http, err = newTransport(s.CAFile, s.CallTimeout); err != nil {
		return nil, err
	}
	if c.identity, err = newIdentity(s); err != nil {
		return nil, err
	}
	if err := c.probe(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// probe retries for less time than other calls: a server that has never
// answered is more likely a wrong address than a restarting server.
func (c *Client) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.settings.CallTimeout, errNeverAnswered)
	defer cancel()
	_, err := c.Stat(ctx, "/")
	if err == nil {
		c.user, err = c.seen(ctx)
	}
	if errors.Is(err, errNeverAnswered) {
		return fmt.Errorf("%w: %w", hdfs.ErrUnavailable, err)
	}
	return err
}

var errNeverAnswered = errors.New("no server has answered yet: check the address, and that it is the one for HTTP (9870, or 9871 with TLS, by default)")

// User returns the user that the cluster sees.
func (c *Client) User() string { return c.user }

// Close closes idle connections. Open files keep theirs until they are closed.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	c.identity.close()
	return nil
}

// call runs an idempotent operation and passes the answer to use. It retries
// until use succeeds, the error is final, the budget is spent or the context
// ends.
func (c *Client) call(ctx context.Context, op operation, use func(answer) error) error {
	patience := retry.New(ctx, c.settings.Budget)
	for {
		err := c.attempt(ctx, op, use)
		if err == nil {
			return nil
		}
		if err = c.again(patience, err); err != nil {
			return pathError(op.verb, op.path, err)
		}
	}
}

// attempt runs an operation once, within the timeout of one call.
func (c *Client) attempt(ctx context.Context, op operation, use func(answer) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.settings.CallTimeout, errSilent)
	defer cancel()
	a, err := c.askServing(ctx, op)
	if err != nil {
		return err
	}
	defer a.close()
	return use(a)
}

// askServing asks the server that answered last. If that fails, the next call
// tries another.
func (c *Client) askServing(ctx context.Context, op operation) (answer, error) {
	serving := c.serving.Load()
	a, err := c.ask(ctx, c.settings.servers[serving], op)
	if err != nil && judge(err) == transient {
		c.serving.CompareAndSwap(serving, (serving+1)%int32(len(c.settings.servers)))
	}
	return a, err
}

// errSilent means that an attempt timed out.
var errSilent = errors.New("no answer within the time for one call")

// again waits before the next attempt and returns nil, or returns the final
// error.
func (c *Client) again(patience *retry.Patience, err error) error {
	if judge(err) == final {
		return err
	}
	err = patience.Wait(err)
	if errors.Is(err, retry.ErrSpent) {
		return fmt.Errorf("%w: %w", hdfs.ErrUnavailable, err)
	}
	return err
}
