package host

import "time"

// breaker decides when a failing plugin may be started again. It is a value
// without clock or lock, driven by its owner.
//
// The first failure after a success has no delay, because an external cause may
// have killed the process. Further failures in a row cause increasing delays.
// From maxFailures on, calls are refused until one trial after coolDown
// succeeds.
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

// wait returns how long to wait before the next start, or the error to refuse
// with.
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
