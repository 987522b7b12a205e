// Package retry is the patience that the clients of HDFS have with servers that
// restart, fail over or get lost.
package retry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrSpent is what a wait gives when the budget is spent.
var ErrSpent = errors.New("the time for retries is spent")

const (
	firstWait = 50 * time.Millisecond
	mostWait  = 2 * time.Second
)

// Patience is that with one operation: for how long it is tried again without
// any progress. It is not safe for concurrent use.
type Patience struct {
	ctx      context.Context
	budget   time.Duration
	deadline time.Time
	wait     time.Duration
	waited   bool
}

// New returns the patience with an operation that begins now.
func New(ctx context.Context, budget time.Duration) *Patience {
	p := &Patience{ctx: ctx, budget: budget}
	p.Progress()
	return p
}

// Progress starts the budget anew.
func (p *Patience) Progress() {
	p.deadline = time.Now().Add(p.budget)
	p.wait = firstWait
}

// Waited says whether the operation is tried again: Wait was called.
func (p *Patience) Waited() bool { return p.waited }

// Wait waits before the next attempt, longer each time, and gives nil. Instead
// it gives an error that wraps ErrSpent, or the context's, and in any case the
// error that made the wait necessary.
func (p *Patience) Wait(last error) error {
	if p.ctx.Err() != nil {
		return p.ended(last)
	}
	if time.Now().Add(p.wait).After(p.deadline) {
		return fmt.Errorf("%w after %s: %w", ErrSpent, p.budget, last)
	}
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case <-p.ctx.Done():
		return p.ended(last)
	case <-timer.C:
	}
	p.wait = min(2*p.wait, mostWait)
	p.waited = true
	return nil
}

// ended is the end by the context, with its cause, and with what was waited for
// unless that is the context itself.
func (p *Patience) ended(last error) error {
	err, cause := p.ctx.Err(), context.Cause(p.ctx)
	switch {
	case errors.Is(last, err):
		return last
	case cause != err:
		return fmt.Errorf("%w: %w (last: %v)", err, cause, last)
	}
	return fmt.Errorf("%w (last: %v)", err, last)
}
