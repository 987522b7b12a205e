// Package webhdfs is a client of HDFS over HTTP: the REST API of NameNodes,
// which redirect to DataNodes for a file's bytes, and of HttpFS, which sends
// them itself. It is for clusters whose other ports cannot be reached, and
// for acting as another user.
//
// It keeps to the same rules as that one. A read gives the bytes of the file
// that was opened, all of them, or an error; every wait has an end; what passes
// is retried within a budget. The files and errors are described in package
// hdfs's own terms.
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

// A Client acts on one cluster as one user. It is safe for concurrent use.
type Client struct {
	settings settings
	http     *http.Transport // no http.Client: redirects are followed here
	identity identity
	user     string       // whom the cluster takes us for
	serving  atomic.Int32 // the server that is asked first
}

// Open finds the cluster and asks it for its root and whom it sees, so that
// wrong settings are told here.
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

// probe has less patience than other calls: what never answered is sooner a
// wrong address than a server that restarts.
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

// User is whom the cluster sees, by its own word.
func (c *Client) User() string { return c.user }

// Close ends the connections that wait for use. Files still open keep theirs
// until they are closed.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	c.identity.close()
	return nil
}

// call does one operation of which doing it twice does no harm, and gives the
// answer to use, until that is content, the error is final, the budget is spent
// or the context ends.
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

// attempt does an operation once, within the time for one call.
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

// askServing asks the server that served last, and lets the next call ask
// another if that fails.
func (c *Client) askServing(ctx context.Context, op operation) (answer, error) {
	serving := c.serving.Load()
	a, err := c.ask(ctx, c.settings.servers[serving], op)
	if err != nil && judge(err) == transient {
		c.serving.CompareAndSwap(serving, (serving+1)%int32(len(c.settings.servers)))
	}
	return a, err
}

// errSilent is why an attempt was given up.
var errSilent = errors.New("no answer within the time for one call")

// again waits before the next attempt and gives nil, or gives the error to end
// with.
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
