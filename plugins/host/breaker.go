package host

import "time"

// breaker decides when a plugin that fails may be started again. It is a value
// without clock or lock: whoever has it asks and tells.
//
// The first failure after a success costs nothing, since what killed the
// process may have come from outside. Further ones in a row cost ever longer
// waits; from maxFailures on nobody waits any more, but is refused, until one
// trial after coolDown succeeds.
type breaker struct {
	failures int       // in a row
	since    time.Time // of the last
	last     error
}

const (
	maxFailures  = 5
	firstBackOff = 100 * time.Millisecond
	coolDown     = 30 * time.Second
)

func (b breaker) failed(now time.Time, err error) breaker {
	return breaker{b.failures + 1, now, err}
}

// wait is how long to wait before the next start, or the error to refuse with.
func (b breaker) wait(now time.Time) (time.Duration, error) {
	if b.failures >= maxFailures {
		if until := b.since.Add(coolDown); now.Before(until) {
			return 0, &UnavailableError{b.failures, until, b.last}
		}
		return 0, nil
	}
	if b.failures < 2 {
		return 0, nil
	}
	return max(0, b.since.Add(firstBackOff<<(b.failures-2)).Sub(now)), nil
}
