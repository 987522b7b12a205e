package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrUnknownGroups is the error of a principal whose groups cannot be
// determined now. All its requests are refused.
var ErrUnknownGroups = errors.New("groups unknown")

const (
	// fresh is how old groups may be before they are looked up again in the
	// background. Groups older than stale are not used any more (see Follower),
	// so that a change in the directory takes effect within that time.
	fresh = 2 * time.Second
	// lookUpTimeout bounds one look-up, retryAfter is the pause after one that
	// failed, and lookUps is how many run at once.
	lookUpTimeout = 10 * time.Second
	retryAfter    = 200 * time.Millisecond
	lookUps       = 16
	// maxCached bounds the cache. When it is full it is emptied.
	maxCached = 10_000
)

// A groupCache caches the groups of principals and keeps them fresh. A frequent
// caller never waits for the directory. Others wait as long as their context
// allows.
type groupCache struct {
	lookUp func(context.Context, member) ([]Principal, error)
	ctx    context.Context // of the look-ups, which serve more than one caller
	stop   context.CancelFunc
	slots  chan struct{} // one for each look-up that runs

	mu      sync.Mutex
	entries map[member]*membership
}

// member is a principal, in a cluster of datasets or, with "", in the home.
type member struct {
	principal Principal
	cluster   string
}

// membership is the result of the last look-up of a member's groups.
type membership struct {
	groups  []Principal
	at      time.Time     // when the look-up that found them began; zero: never
	err     error         // of the last look-up
	failed  time.Time     // when that ended, if it failed
	running chan struct{} // closed at the end of the look-up that runs; nil: none runs
}

func newGroupCache(lookUp func(context.Context, member) ([]Principal, error)) *groupCache {
	c := &groupCache{lookUp: lookUp, slots: make(chan struct{}, lookUps), entries: make(map[member]*membership)}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// close ends the look-ups. Those that ignore their context end by themselves.
func (c *groupCache) close() { c.stop() }

// of returns the groups of a member. The error wraps ErrUnknownGroups or is the
// context's.
func (c *groupCache) of(ctx context.Context, m member) ([]Principal, error) {
	asked := time.Now()
	for {
		groups, running, err := c.get(m, asked)
		if running == nil {
			return groups, err
		}
		select {
		case <-running:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: of %s: no answer yet: %w", ErrUnknownGroups, m.principal, context.Cause(ctx))
		}
	}
}

// get returns the groups that are valid at a time, or the look-up to wait for.
func (c *groupCache) get(m member, asked time.Time) (groups []Principal, running <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.entries[m]
	if one == nil {
		if len(c.entries) >= maxCached {
			clear(c.entries)
		}
		one = &membership{}
		c.entries[m] = one
	}
	age := asked.Sub(one.at)
	if age > fresh && one.running == nil && time.Since(one.failed) > retryAfter {
		one.running = make(chan struct{})
		go c.find(m, one)
	}
	switch {
	case age <= stale:
		return one.groups, nil, nil
	case one.running != nil:
		return nil, one.running, nil
	}
	return nil, nil, fmt.Errorf("%w: of %s: %w", ErrUnknownGroups, m.principal, one.err)
}

// find looks a member up and stores the result.
func (c *groupCache) find(m member, one *membership) {
	ctx, cancel := context.WithTimeout(c.ctx, lookUpTimeout)
	defer cancel()
	groups, at, err := c.lookUpInSlot(ctx, m)
	c.mu.Lock()
	defer c.mu.Unlock()
	if one.err = err; err == nil {
		one.groups, one.at = groups, at
	} else {
		one.failed = time.Now()
	}
	close(one.running)
	one.running = nil
}

// lookUpInSlot looks a member up once a slot is free.
func (c *groupCache) lookUpInSlot(ctx context.Context, m member) ([]Principal, time.Time, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, time.Time{}, errors.New("the directory does not answer")
	}
	type result struct {
		groups []Principal
		err    error
	}
	at, found := time.Now(), make(chan result, 1)
	go func() { // the system's look-ups take no context
		defer func() { <-c.slots }()
		groups, err := c.lookUp(ctx, m)
		found <- result{groups, err}
	}()
	select {
	case f := <-found:
		return f.groups, at, f.err
	case <-ctx.Done():
		return nil, at, fmt.Errorf("the directory has not answered for %v", lookUpTimeout)
	}
}
