package inference

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Clients learn why a version does not load only if the text of the error is
// for clients.
func TestTrouble(t *testing.T) {
	secret := errors.New("open /home/tkit/blobs: no such file")
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{fmt.Errorf("load m@1: %w", secret), "it cannot be loaded; the server's log says why"},
		{&Error{Reason: Internal, Err: secret}, "it cannot be loaded; the server's log says why"},
		{fmt.Errorf("load m@1: %w", &Error{Reason: Unavailable, Err: errors.New("m@1 may not be \x1b[2J served here")}), `m@1 may not be \u001b[2J served here`},
		{&Error{Reason: Unavailable, Err: errors.New(strings.Repeat("x", 2000))}, strings.Repeat("x", 1000)},
	} {
		if got := (VersionStatus{Err: test.err}).Trouble(); !strings.HasPrefix(got, test.want) || len(got) > len(test.want)+8 {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
}
