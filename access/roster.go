package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrUnknownGroups: nobody can tell now which groups a principal is in, and so
// nothing is allowed to it.
var ErrUnknownGroups = errors.New("groups unknown")

const (
	// fresh is how long groups are believed before they are asked for anew,
	// beside the decisions that go on; stale is how long without an answer they
	// count (see Follower): what a directory says takes effect within that.
	fresh = 2 * time.Second
	// patient bounds one look-up, pause is kept after one that failed, and
	// lookUps is how many are under way at once.
	patient = 10 * time.Second
	pause   = 200 * time.Millisecond
	lookUps = 16
	// mostKnown bounds whose groups are kept; beyond it all are asked for anew.
	mostKnown = 10_000
)

// A roster knows the groups of those who ask and keeps them fresh: who asks
// often never waits for a directory, and who asks after a pause waits as long
// as their context allows.
type roster struct {
	ask  func(context.Context, member) ([]Principal, error)
	ctx  context.Context // of the look-ups, which serve more than one caller
	stop context.CancelFunc
	free chan struct{}

	mu    sync.Mutex
	known map[member]*membership
}

// member is a principal, in a cluster of datasets or, with "", in the home.
type member struct {
	principal Principal
	cluster   string
}

// membership is what was last found out about a member's groups.
type membership struct {
	groups []Principal
	at     time.Time     // when the look-up that found them began; zero: never
	err    error         // of the last look-up
	failed time.Time     // when that ended, if it failed
	asking chan struct{} // closed at the end of the look-up under way; nil: none is
}

func newRoster(ask func(context.Context, member) ([]Principal, error)) *roster {
	r := &roster{ask: ask, free: make(chan struct{}, lookUps), known: make(map[member]*membership)}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// close ends the look-ups, of which those that obey no context end by themselves.
func (r *roster) close() { r.stop() }

// of returns a member's groups. The error wraps ErrUnknownGroups or is the
// context's.
func (r *roster) of(ctx context.Context, m member) ([]Principal, error) {
	asked := time.Now()
	for {
		groups, asking, err := r.look(m, asked)
		if asking == nil {
			return groups, err
		}
		select {
		case <-asking:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: of %s: no answer yet: %w", ErrUnknownGroups, m.principal, context.Cause(ctx))
		}
	}
}

// look returns the groups that count for who asked at a time, or what to wait
// for.
func (r *roster) look(m member, asked time.Time) (groups []Principal, asking <-chan struct{}, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.known[m]
	if one == nil {
		if len(r.known) >= mostKnown {
			clear(r.known)
		}
		one = &membership{}
		r.known[m] = one
	}
	age := asked.Sub(one.at)
	if age > fresh && one.asking == nil && time.Since(one.failed) > pause {
		one.asking = make(chan struct{})
		go r.find(m, one)
	}
	switch {
	case age <= stale:
		return one.groups, nil, nil
	case one.asking != nil:
		return nil, one.asking, nil
	}
	return nil, nil, fmt.Errorf("%w: of %s: %w", ErrUnknownGroups, m.principal, one.err)
}

// find looks a member up.
func (r *roster) find(m member, one *membership) {
	ctx, cancel := context.WithTimeout(r.ctx, patient)
	defer cancel()
	groups, at, err := r.inTurn(ctx, m)
	r.mu.Lock()
	defer r.mu.Unlock()
	if one.err = err; err == nil {
		one.groups, one.at = groups, at
	} else {
		one.failed = time.Now()
	}
	close(one.asking)
	one.asking = nil
}

func (r *roster) inTurn(ctx context.Context, m member) ([]Principal, time.Time, error) {
	select {
	case r.free <- struct{}{}:
	case <-ctx.Done():
		return nil, time.Time{}, errors.New("the directory does not answer")
	}
	type answer struct {
		groups []Principal
		err    error
	}
	at, found := time.Now(), make(chan answer, 1)
	go func() { // the system's look-ups know no context
		defer func() { <-r.free }()
		groups, err := r.ask(ctx, m)
		found <- answer{groups, err}
	}()
	select {
	case a := <-found:
		return a.groups, at, a.err
	case <-ctx.Done():
		return nil, at, fmt.Errorf("the directory has not answered for %v", patient)
	}
}
