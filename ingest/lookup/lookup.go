// Package lookup finds out more about images: it asks an HTTP service or a database,
// and remembers the answers.
package lookup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"tkit/ingest/failure"
)

// Stage is the stage of this package's failures.
const Stage = "lookup"

// ErrMisconfigured is wrapped by errors that do not end before somebody changes the
// pipeline or the service.
var ErrMisconfigured = errors.New("the service refuses the request")

// An Answer is what a service knows. It is never changed.
type Answer struct {
	Found bool
	JSON  json.RawMessage // if it was found
}

// failed returns the failure of a request.
func failed(kind failure.Kind, err error) error {
	return &failure.Error{Stage: Stage, Kind: kind, Err: err}
}

// Options describe a cache.
type Options struct {
	Size    int           // the number of answers to remember; 0 means none
	TTL     time.Duration // how long to remember what was found
	Missing time.Duration // how long to remember that nothing was found
	Timeout time.Duration // of a request
}

// Check returns what is wrong with the options.
func (o Options) Check() error {
	switch {
	case o.Size < 0 || o.TTL < 0 || o.Missing < 0:
		return errors.New("the size and the times of the cache must not be negative")
	case o.Timeout <= 0:
		return errors.New("timeout must be positive")
	}
	return nil
}

// A Cache remembers answers. For images with the same key at the same time it asks
// once. Its methods may be called concurrently. Close ends it.
type Cache struct {
	options Options
	answers *lru.Cache[string, remembered] // nil if nothing is remembered
	asking  singleflight.Group
	running context.Context // of requests
	stop    context.CancelFunc

	mu       sync.Mutex // of closed, and so that no request begins after Close
	closed   bool
	requests sync.WaitGroup
}

type remembered struct {
	answer Answer
	until  time.Time
}

// NewCache returns a cache.
func NewCache(o Options) (*Cache, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	c := &Cache{options: o}
	if o.Size > 0 {
		var err error
		if c.answers, err = lru.New[string, remembered](o.Size); err != nil {
			return nil, err
		}
	}
	c.running, c.stop = context.WithCancel(context.Background())
	return c, nil
}

// Close ends the requests and waits for them.
func (c *Cache) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.requests.Wait()
}

// Get returns the answer for a key: the one it remembers, or that of ask. The request
// goes on when ctx ends, since others may wait for it. An error is a *failure.Error.
func (c *Cache) Get(ctx context.Context, key string, ask func(context.Context) (Answer, error)) (Answer, error) {
	if a, ok := c.recall(key); ok {
		return a, nil
	}
	asked := c.asking.DoChan(key, func() (any, error) {
		if !c.begin() {
			return Answer{}, failed(failure.Outage, errors.New("the pipeline has stopped"))
		}
		defer c.requests.Done()
		if a, ok := c.recall(key); ok { // since the first look
			return a, nil
		}
		ctx, cancel := context.WithTimeout(c.running, c.options.Timeout)
		defer cancel()
		a, err := ask(ctx)
		if err == nil {
			c.remember(key, a)
		}
		return a, err
	})
	select {
	case r := <-asked:
		if r.Err != nil {
			return Answer{}, r.Err
		}
		return r.Val.(Answer), nil
	case <-ctx.Done():
		return Answer{}, failed(failure.Outage, ctx.Err())
	}
}

func (c *Cache) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.requests.Add(1)
	}
	return !c.closed
}

func (c *Cache) recall(key string) (Answer, bool) {
	if c.answers == nil {
		return Answer{}, false
	}
	r, ok := c.answers.Get(key)
	return r.answer, ok && time.Now().Before(r.until)
}

func (c *Cache) remember(key string, a Answer) {
	life := c.options.TTL
	if !a.Found {
		life = c.options.Missing
	}
	if c.answers != nil && life > 0 {
		c.answers.Add(key, remembered{a, time.Now().Add(life)})
	}
}

// noAnswer is the error of a request to a service that is down.
func noAnswer(err error) error {
	return failed(failure.Outage, fmt.Errorf("the service does not answer: %w", err))
}
