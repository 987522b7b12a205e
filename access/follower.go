package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"tkit/internal/db"
)

// ErrStale is the error of a policy that could not be read recently: it may no longer
// be in force.
var ErrStale = errors.New("the policy cannot be read")

// stale is the maximum age of a policy that is used for decisions. Together with the
// interval between reads it stays below the five seconds within which a change takes
// effect.
const stale = 4 * time.Second

// outage is that age while the store cannot be reached: then nobody can change the policy
// there either, and what has been decided stays decided. What could be read but is
// lost or replaced closes as before.
const outage = 15 * time.Minute

// A Follower keeps the policy in force in memory, for a server that decides often.
type Follower struct {
	authority *Authority
	every     time.Duration
	current   atomic.Pointer[seenPolicy]
	failed    atomic.Pointer[error] // of the last read; nil: it succeeded
}

// seenPolicy is a policy and when it was last seen to be in force.
type seenPolicy struct {
	policy *Policy
	at     time.Time
}

// Follow reads the policy and follows it from then on, for as long as Run runs.
func (a *Authority) Follow(ctx context.Context, every time.Duration) (*Follower, error) {
	f := &Follower{authority: a, every: min(every, time.Second)}
	return f, f.look(ctx)
}

// tellEvery is how often a failure that lasts is logged.
const tellEvery = time.Minute

// Run looks for changes until ctx ends.
func (f *Follower) Run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	var failing failure
	for told := int64(-1); ; {
		if s := f.current.Load(); s != nil && s.policy.generation != told {
			told = s.policy.generation
			for _, u := range s.policy.Unreadable() {
				log.ErrorContext(ctx, "a part of the policy cannot be read", "what", u.String())
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := f.look(ctx); ctx.Err() == nil {
			failing.tell(ctx, log, err, time.Now())
		}
	}
}

// A failure is the last logged failure of reads, zero while they succeed.
type failure struct {
	text string
	at   time.Time
}

// tell logs the result of a read: a failure when it begins, when it changes and once
// a minute, and its end.
func (f *failure) tell(ctx context.Context, log *slog.Logger, err error, now time.Time) {
	switch {
	case err == nil && f.text != "":
		log.InfoContext(ctx, "the policy can be read again")
		*f = failure{}
	case err != nil && (err.Error() != f.text || now.Sub(f.at) >= tellEvery):
		log.ErrorContext(ctx, "cannot read the policy; soon requests will be refused", "error", err)
		*f = failure{err.Error(), now}
	}
}

// Ready returns why the policy could not be read last, nil if it could. It is cheap, so
// that a server's readiness can call it each time:
//
//	if err := follower.Ready(); err != nil { // not ready; log err, do not send it
//
// The error contains paths of the server. For some seconds after the first
// failure, and for longer while the store cannot be reached, [Follower.Policy] still
// returns the last policy.
func (f *Follower) Ready() error {
	if err := f.failed.Load(); err != nil {
		return fmt.Errorf("%w: %w", ErrStale, *err)
	}
	_, err := f.Policy() // Run may have ended
	return err
}

func (f *Follower) look(ctx context.Context) (err error) {
	defer func() {
		if err == nil {
			f.failed.Store(nil)
		} else {
			f.failed.Store(&err)
		}
	}()
	at := time.Now() // later changes are read next time
	within, cancel := context.WithTimeout(ctx, stale)
	defer cancel()
	p, err := f.authority.Policy(within)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil { // no answer at all
		err = fmt.Errorf("%w: %w", db.ErrUnreachable, err)
	}
	if err != nil {
		return err
	}
	f.current.Store(&seenPolicy{p, at})
	return nil
}

// Policy returns the policy that was in force some moments ago or, while the store cannot
// be reached, at most 15 minutes ago. The error wraps ErrStale.
func (f *Follower) Policy() (*Policy, error) {
	longest := stale
	if failed := f.failed.Load(); failed != nil && errors.Is(*failed, db.ErrUnreachable) {
		longest = outage
	}
	return f.within(longest)
}

// Recent returns why the policy has not been read for some seconds, nil if it has. Unlike
// Ready it ignores a single failure.
func (f *Follower) Recent() error {
	_, err := f.within(stale)
	return err
}

// within returns the policy that was last seen to be in force at most some time ago.
func (f *Follower) within(longest time.Duration) (*Policy, error) {
	s := f.current.Load()
	if age := time.Since(s.at); age > longest {
		return nil, fmt.Errorf("%w: not for %v", ErrStale, age.Round(time.Second))
	}
	return s.policy, nil
}
