package components

import (
	"errors"
	"testing"

	"tkit/ingest/failure"
)

func TestGravest(t *testing.T) {
	lasting := &failure.Error{Stage: "a", Kind: failure.Lasting, Err: errors.New("refused")}
	unknown := errors.New("unknown")
	outage := &failure.Error{Stage: "b", Kind: failure.Outage, Err: errors.New("down")}
	for _, c := range []struct {
		errs []error
		want error
	}{
		{nil, nil}, {[]error{nil, nil}, nil}, {[]error{nil, lasting}, lasting}, {[]error{lasting, unknown}, unknown}, {[]error{lasting, unknown, outage}, outage},
	} {
		if got := gravest(c.errs); got != c.want {
			t.Errorf("of %v it is %v, want %v", c.errs, got, c.want)
		}
	}
}
