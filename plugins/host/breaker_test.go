package host

import (
	"errors"
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	start, failure := time.Unix(0, 0), errors.New("failure")
	var b breaker
	for i, want := range []time.Duration{0, 0, 100, 200, 400} {
		wait, err := b.wait(start)
		if wait != want*time.Millisecond || err != nil {
			t.Errorf("after %d failures: wait %v, %v, want %d ms", i, wait, err, want)
		}
		b = b.failed(start, failure)
	}
	if wait, _ := (breaker{failures: 3, since: start}).wait(start.Add(time.Second)); wait != 0 {
		t.Errorf("long after a failure: wait %v", wait)
	}
	var unavailable *UnavailableError
	if _, err := b.wait(start.Add(coolDown - 1)); !errors.As(err, &unavailable) || !errors.Is(err, failure) {
		t.Errorf("after %d failures: error %v", b.failures, err)
	}
	if wait, err := b.wait(start.Add(coolDown)); wait != 0 || err != nil {
		t.Errorf("after the cool-down: %v, %v", wait, err)
	}
	b = b.failed(start.Add(coolDown), failure)
	if _, err := b.wait(start.Add(coolDown + 1)); err == nil {
		t.Error("a failed trial is followed by another at once")
	}
}
