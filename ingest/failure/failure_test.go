package failure_test

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"tkit/ingest/failure"
)

func TestKindAndStage(t *testing.T) {
	cause := errors.New("broken")
	err := fmt.Errorf("batch: %w", &failure.Error{Stage: "classify", Kind: failure.Lasting, Err: cause})
	if k, s := failure.KindOf(err), failure.StageOf(err); k != failure.Lasting || s != "classify" || !errors.Is(err, cause) {
		t.Errorf("kind %v, stage %q of %v", k, s, err)
	}
	if c := failure.CauseOf(err); c != "broken" {
		t.Errorf("cause %q of %v", c, err)
	}
	if c := failure.CauseOf(fmt.Errorf("more: %w", cause)); c != "more: broken" {
		t.Errorf("cause %q of a plain error", c)
	}
	if k, s := failure.KindOf(cause), failure.StageOf(cause); k != failure.Unknown || s != "pipeline" {
		t.Errorf("kind %v, stage %q of a plain error", k, s)
	}
}

// A connection that fails is an outage, unless the image may have given a wrong address.
func TestConnections(t *testing.T) {
	down := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	if k := failure.KindOf(fmt.Errorf("asking: %w", down)); k != failure.Outage {
		t.Errorf("a refused connection is of the kind %v", k)
	}
	unknown := &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
	if k := failure.KindOf(unknown); k != failure.Unknown {
		t.Errorf("an unknown host is of the kind %v", k)
	}
	if k := failure.KindOf(&failure.Error{Kind: failure.Lasting, Err: down}); k != failure.Lasting {
		t.Errorf("an error with a kind is of the kind %v", k)
	}
}

func TestDelay(t *testing.T) {
	longest := time.Duration(0)
	for attempts := 1; attempts < 100; attempts++ {
		d := failure.Delay(attempts)
		if d < 50*time.Millisecond || d > 30*time.Second {
			t.Errorf("after %d attempts: %v", attempts, d)
		}
		longest = max(longest, d)
	}
	if longest < 15*time.Second {
		t.Errorf("the delays reach only %v", longest)
	}
}
