// Package retry implements retries with a time budget for the HDFS clients.
package retry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrSpent means that the budget is spent.
var ErrSpent = errors.New("the retry budget is spent")

const (
	firstWait = 50 * time.Millisecond
	mostWait  = 2 * time.Second
)

// Patience is the retry state of one operation: how long it is retried without
// progress. It is not safe for concurrent use.
type Patience struct {
	ctx      context.Context
	budget   time.Duration
	deadline time.Time
	wait     time.Duration
	waited   bool
}

// New returns the retry state of an operation that begins now.
func New(ctx context.Context, budget time.Duration) *Patience {
	p := &Patience{ctx: ctx, budget: budget}
	p.Progress()
	return p
}

// Progress restarts the budget.
func (p *Patience) Progress() {
	p.deadline = time.Now().Add(p.budget)
	p.wait = firstWait
}

// Waited reports whether Wait was called.
func (p *Patience) Waited() bool { return p.waited }

// Wait waits before the next attempt, longer each time, and returns nil. Its
// error wraps ErrSpent or the context's error, and always the last error.
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

// ended returns the context's error with its cause, and the last error unless
// that is the context's own.
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
